import { type ChildProcess, spawn } from 'node:child_process';
import { commandsOf, keepsRunning, type Words } from './blocks.ts';

type Environment = { readonly [name: string]: string | undefined };

/** Says whether a command that keeps running does what it is for by now. */
export type IsReady = (words: Words, output: string) => boolean | Promise<boolean>;

interface Running {
  readonly line: string;
  readonly child: ChildProcess;
  readonly output: () => string;
  /** Resolves once the command and all that it started have stopped writing. Exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

const POLL_MS = 50;
const INTERRUPTED = 130;

/**
 * Runs blocks as a reader would type them: one command after the other, each of which must succeed, and each that keeps
 * running in its own terminal.
 */
export class Terminal {
  readonly #folder: string;
  readonly #env: Environment;
  readonly #isReady: IsReady;
  readonly #running: Running[] = [];

  constructor(folder: string, env: Environment, isReady: IsReady = () => true) {
    this.#folder = folder;
    this.#env = env;
    this.#isReady = isReady;
  }

  /** Returns the output. Throws with it if a command fails, or does not run within the time. */
  async run(body: string, deadlineMs: number): Promise<string> {
    if (!commandsOf(body).some(keepsRunning)) return this.#finish(body, deadlineMs);
    let output = '';
    let exported = '';
    // Each in its own terminal, so none waits for another.
    const beginning: Promise<string>[] = [];
    for (const line of body.replaceAll('\\\n', ' ').split('\n')) {
      const [words] = commandsOf(line);
      if (!words) continue;
      if (words[0] === 'export') exported += `${line}\n`;
      else if (keepsRunning(words)) beginning.push(this.#begin(`${exported}exec ${line}`, words, deadlineMs));
      else output += await this.#finish(exported + line, deadlineMs);
    }
    return output + (await Promise.all(beginning)).join('');
  }

  /** Ctrl-C for every command that still runs, the newest first. Returns what they wrote. Throws with it if one ends by itself. */
  async stop(): Promise<string> {
    let written = '';
    for (const { line, child, ended, output } of this.#running.splice(0).reverse()) {
      signal(child, 'SIGINT');
      const how = await ended;
      // npm ends by the signal that it got, once its program has ended.
      if (how !== 0 && how !== 'SIGINT' && how !== INTERRUPTED)
        throw new Error(`${line}: ${how}\n${output()}`);
      written += output();
    }
    return written;
  }

  /** Ends at once what an orderly stop did not. */
  kill(): void {
    for (const { child } of this.#running) signal(child, 'SIGKILL');
  }

  async #finish(script: string, deadlineMs: number): Promise<string> {
    const { child, output, ended } = this.#spawn(script);
    const timer = setTimeout(() => signal(child, 'SIGKILL'), deadlineMs);
    const how = await ended.finally(() => clearTimeout(timer));
    if (how !== 0) throw new Error(`ended with ${how} (SIGKILL: not within ${deadlineMs} ms)\n${output()}`);
    return output();
  }

  async #begin(script: string, words: Words, deadlineMs: number): Promise<string> {
    const started = this.#spawn(script);
    this.#running.push(started);
    let how: number | string | null | undefined;
    void started.ended.then((ended) => {
      how = ended;
    });
    for (const deadline = performance.now() + deadlineMs; ; ) {
      if (await this.#isReady(words, started.output())) return started.output();
      if (how !== undefined) throw new Error(`${words.join(' ')}: ended with ${how}\n${started.output()}`);
      if (performance.now() > deadline)
        throw new Error(`${words.join(' ')}: not within ${deadlineMs} ms\n${started.output()}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  #spawn(script: string): Running {
    const child = spawn('sh', ['-ec', script], {
      ...{ cwd: this.#folder, env: this.#env as NodeJS.ProcessEnv, detached: true },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
    const ended = new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, by) => resolve(code ?? by));
    });
    return { line: script, child, output: () => text, ended };
  }
}

/** The whole group, as a terminal does. */
function signal({ pid }: ChildProcess, name: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, name);
  } catch {
    // It has ended.
  }
}
