import { DatabaseSync } from 'node:sqlite';

/** As the database holds it. */
export interface GhostMember {
  readonly email: string;
  readonly name: string | null;
  /** Ids, those of archived ones too. */
  readonly newsletters: readonly string[];
}

/** Reads the site's database, past Ghost. */
export class GhostDatabase {
  private readonly database: DatabaseSync;

  constructor(file: string) {
    this.database = new DatabaseSync(file, { timeout: 10_000 });
  }

  /** From now on every subscription of a member to a newsletter is put down, also one that is taken back. */
  watch(): void {
    this.database.exec(`
      CREATE TABLE seen_subscriptions (email TEXT NOT NULL, newsletter TEXT NOT NULL);
      CREATE TRIGGER subscribed AFTER INSERT ON members_newsletters BEGIN
        INSERT INTO seen_subscriptions SELECT email, NEW.newsletter_id FROM members WHERE id = NEW.member_id;
      END;
      CREATE TRIGGER moved AFTER UPDATE ON members_newsletters BEGIN
        INSERT INTO seen_subscriptions SELECT email, NEW.newsletter_id FROM members WHERE id = NEW.member_id;
      END;
    `);
  }

  /** Everybody who was ever subscribed since `watch`, as often as it happened. */
  subscriptions(): string[] {
    const rows = this.database.prepare('SELECT email FROM seen_subscriptions ORDER BY rowid').all();
    return rows.map(({ email }) => String(email));
  }

  members(): GhostMember[] {
    const rows = this.database
      .prepare(`
        SELECT email, name, (SELECT group_concat(newsletter_id) FROM members_newsletters WHERE member_id = members.id) AS had
        FROM members ORDER BY id`)
      .all();
    return rows.map(({ email, name, had }) => ({
      email: String(email),
      name: name === null ? null : String(name),
      newsletters: had === null ? [] : String(had).split(','),
    }));
  }

  close(): void {
    this.database.close();
  }
}
