import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { FILES, type Program } from './bottlecrm-program.ts';

/** As the database holds it. */
export interface BottlecrmContact {
  readonly email: string;
  readonly fields: { readonly [key: string]: unknown };
  readonly name: string;
}

export interface ContactsFound {
  readonly now: readonly BottlecrmContact[];
  /** Every state that each contact was in, in their order. */
  readonly history: readonly Omit<BottlecrmContact, 'name'>[];
}

type Row = [email: string, fields: BottlecrmContact['fields'], first: string, last: string];

/** Reads the contacts out of the database, past the CRM. By one process: to start Python for each look would take most of a test's time. */
export class Contacts {
  private readonly program: Program;
  private child: ChildProcess | undefined;
  private lines: AsyncIterator<string> | undefined;

  constructor(program: Program) {
    this.program = program;
  }

  async read(): Promise<ContactsFound> {
    const lines = this.lines ?? this.start();
    this.child?.stdin?.write('\n');
    const { value, done } = await lines.next();
    if (done) throw new Error('what reads the contacts has ended');
    const { contacts, history } = JSON.parse(value) as { contacts: Row[]; history: Row[] };
    return {
      now: contacts.map(([email, fields, first, last]) => ({ email, fields, name: `${first} ${last}` })),
      history: history.map(([email, fields]) => ({ email, fields })),
    };
  }

  async close(): Promise<void> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  private start(): AsyncIterator<string> {
    const { python, home: cwd, env } = this.program;
    const args = ['-P', join(FILES, 'read_contacts.py')];
    const child = spawn(python, args, { cwd, env, stdio: ['pipe', 'pipe', 'inherit'] });
    this.child = child;
    this.lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return this.lines;
  }
}
