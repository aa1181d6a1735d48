import { randomBytes } from 'node:crypto';
import { runTool } from '@email-events/dev/stack/programs';
import { succeed } from './succeed.ts';

export const FILES = new URL('./bottlecrm/', import.meta.url).pathname;

export interface Installed {
  readonly python: string;
  readonly postgres: string;
  /** Of django-crm and what it needs. */
  readonly packages: string;
}

/** BottleCRM's Python, which finds the database. */
export class Program {
  readonly python: string;
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;

  constructor({ python, packages }: Installed, port: number, home: string) {
    this.python = python;
    this.home = home;
    this.env = {
      ...{ PATH: process.env.PATH, PYTHONPATH: packages, DJANGO_SETTINGS_MODULE: 'crm.settings' },
      ...{ SECRET_KEY: randomBytes(32).toString('hex'), ENV_TYPE: 'dev', ALLOWED_HOSTS: '127.0.0.1' },
      ...{ DBNAME: 'postgres', DBUSER: 'postgres', DBPASSWORD: '' },
      ...{ DBHOST: '127.0.0.1', DBPORT: String(port), DB_POOL_ENABLED: 'true' },
      ...{ CELERY_BROKER_URL: 'memory://', CELERY_RESULT_BACKEND: 'cache+memory://' },
      ...{ DOMAIN_NAME: '127.0.0.1', FRONTEND_URL: 'http://127.0.0.1' },
    };
  }

  /** Returns what it prints. */
  async run(...args: readonly string[]): Promise<string> {
    const { python, home: cwd, env } = this;
    return succeed(await runTool(python, args, { cwd, env })).stdout;
  }
}
