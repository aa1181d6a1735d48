// Preloaded by run-child.mjs: the process stops in order when the one that started it is gone.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
// Waiting for that alone must not keep the process running.
process.channel?.unref();
