import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setImmediate as immediate } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { runTracks, type Track, type TrackOptions } from './tracks.ts';

/** Runs tracks whose program says and does what its one argument, JavaScript, says. */
async function run(stages: readonly (readonly Track[])[], atOnce = 3, room?: TrackOptions['room']) {
  const { signal } = new AbortController();
  const folder = mkdtempSync(join(tmpdir(), 'tracks-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const script = join(folder, 'track.mjs');
  writeFileSync(
    script,
    'await new Function("say", "return (async () => {" + process.argv[2] + "})()")(console.log);',
  );
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const printed = Promise.all([text(stdout), text(stderr)]);
  const env = { ...process.env, CI: '' };
  const totals = await runTracks(stages, {
    script,
    stdout,
    stderr,
    signal,
    env,
    atOnce,
    ...(room && { room }),
  });
  stdout.end();
  stderr.end();
  const [out, err] = await printed;
  return { totals, out, err };
}

const PASSES = 'say("some tests"); say("2 passed, 0 failed");';
const FAILS = 'say("3 passed, 1 failed, 1 skipped"); process.exitCode = 1;';

test('totals of all tracks are added up, and not printed; a stage that fails is followed by the next', async () => {
  const { totals, out, err } = await run([[[FAILS]], [[PASSES], [PASSES]]]);
  expect(totals).toEqual({ passed: 7, failed: 1, skipped: 1 });
  expect(out).toBe('some tests\nsome tests\n');
  expect(err).toBe('');
});

test.for([
  ['no totals', 'say("nothing")', { passed: 0, failed: 1, skipped: 0 }],
  [
    'no totals, for it was killed',
    'process.kill(process.pid, "SIGKILL")',
    { passed: 0, failed: 1, skipped: 0 },
  ],
  [
    'some skipped, and another exit code',
    'say("2 passed, 0 failed, 1 skipped"); process.exitCode = 3;',
    { passed: 2, failed: 1, skipped: 1 },
  ],
  ['passed, and another exit code', `${PASSES} process.exitCode = 3;`, { passed: 2, failed: 1, skipped: 0 }],
] as const)('a track that ends with %s is a failure', async ([, script, expected]) => {
  const { totals, err } = await run([[[script], [PASSES]]]);
  expect(totals).toEqual({ ...expected, passed: expected.passed + 2 });
  expect(err).toContain('ended with');
});

test('tracks of a stage have ports of their own', async () => {
  const tells = 'say("ports " + process.env.STACK_PORTS); say("1 passed, 0 failed");';
  const { out } = await run([[[tells], [tells], [tells]]]);
  const ports = ['ports 20000-23000', 'ports 23000-26000', 'ports 26000-29000'];
  expect(out.trimEnd().split('\n').sort()).toEqual(ports);
});

test('a track may have settings of its own', async () => {
  const tells = 'say("on " + process.env.STACK); say("1 passed, 0 failed");';
  const { out } = await run([[['STACK=elsewhere', tells]], [[tells]]]);
  expect(out).toBe(`on elsewhere\non ${process.env.STACK}\n`);
});

test('tracks of a stage run side by side: each waits for what the other does', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tracks-meet-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const meets = (own: string, other: string) => `
    const fs = await import("node:fs");
    fs.writeFileSync(${JSON.stringify(join(folder, own))}, "");
    while (!fs.existsSync(${JSON.stringify(join(folder, other))})) await new Promise((go) => setTimeout(go, 5));
    ${PASSES}`;
  const { totals } = await run([[[meets('a', 'b')], [meets('b', 'a')]]]);
  expect(totals).toEqual({ passed: 4, failed: 0, skipped: 0 });
});

test('of a stage no more run than may at once, and each of them once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tracks-lanes-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  // Two that ran at the same time with the same ports would find each other's file.
  const alone = `
    const fs = await import("node:fs");
    const file = ${JSON.stringify(`${folder}/`)} + process.env.STACK_PORTS;
    fs.writeFileSync(file, "", { flag: "wx" });
    say("ports " + process.env.STACK_PORTS);
    fs.rmSync(file);
    say("2 passed, 0 failed");`;
  const { totals, out } = await run([[[alone], [alone], [alone], [alone], [alone]], [[alone]]], 2);
  expect(totals).toEqual({ passed: 12, failed: 0, skipped: 0 });
  expect([...new Set(out.trimEnd().split('\n'))].sort()).toEqual(['ports 20000-23000', 'ports 23000-26000']);
});

test('one more than may at once runs while there is room, and none while there is not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tracks-room-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = JSON.stringify(join(folder, 'written'));
  const tells = 'say("ports " + process.env.STACK_PORTS); say("1 passed, 0 failed");';
  const waits = `
    const fs = await import("node:fs");
    while (!fs.existsSync(${file})) await new Promise((go) => setTimeout(go, 5));
    say("1 passed, 0 failed");`;
  const writes = `(await import("node:fs")).writeFileSync(${file}, ""); ${tells}`;
  const full = await run([Array.from({ length: 6 }, () => [tells])], 2, () => immediate(false));
  expect(full.totals.passed).toBe(6);
  expect(full.out).not.toContain('ports 26000-29000');
  // The two lanes are held until the third one has had what is left.
  const roomy = await run([[[waits], [waits], [tells], [writes]]], 2, () => immediate(true));
  expect(roomy.totals.passed).toBe(4);
  expect(roomy.out).toBe('ports 26000-29000\n'.repeat(2));
});

test('an interrupt stops every track that runs, in order, and begins no other', async () => {
  const waits = `
    process.on("SIGTERM", () => { say("stopped"); say("1 passed, 1 failed"); process.exit(1); });
    say("up");
    setInterval(() => {}, 1_000);`;
  const interrupted = new AbortController();
  const folder = mkdtempSync(join(tmpdir(), 'tracks-stop-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const script = join(folder, 'track.mjs');
  writeFileSync(script, 'new Function("say", process.argv[2])(console.log);');
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  let out = '';
  stdout.on('data', (chunk) => {
    out += chunk;
    if (out.split('up').length === 3) interrupted.abort();
  });
  const totals = await runTracks([[[waits], [waits], [PASSES]], [[PASSES]]], {
    ...{ script, stdout, stderr, signal: interrupted.signal, env: process.env, atOnce: 2 },
  });
  expect(totals).toEqual({ passed: 2, failed: 3, skipped: 0 });
  expect(out).toBe('up\nup\nstopped\nstopped\n');
});
