// What else runs real programs for tests, as the stack does: installed once a checkout, supervised, gone with their owner.
export { withLock } from './data-dir.ts';
export { type InstallContext, installOnce, runMaven } from './local/install.ts';
export { ProcessComponent, type ProcessSpec } from './local/process-component.ts';
export { runTool, type ToolOptions, type User } from './local/run-tool.ts';
export { readVersions, TOOLS_DIR } from './versions.ts';
export { type ProcessWatchdog, watchProcesses } from './watchdog.ts';
