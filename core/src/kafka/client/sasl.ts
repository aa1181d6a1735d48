import type { SASLOptions } from 'kafkajs';
import { z } from 'zod';
import type { CommonConfig } from '../../config/index.ts';
import { PipelineError } from '../../errors.ts';

type SaslSettings = NonNullable<CommonConfig['kafka']['sasl']>;
type TokenSettings = Pick<SaslSettings, 'username' | 'password' | 'tokenUrl' | 'scope'>;

/** How kafkajs proves to a broker who it is. */
export function saslOf(settings: SaslSettings): SASLOptions {
  const { mechanism, username, password } = settings;
  if (mechanism !== 'oauthbearer') return { mechanism, username, password: password.reveal() } as SASLOptions;
  const tokens = new Tokens(settings);
  return { mechanism, oauthBearerProvider: async () => ({ value: await tokens.current() }) };
}

const REQUEST_MS = 5_000;
const MAX_ANSWER_BYTES = 65_536;
/** A token is used for so much of its life: the broker, whose clock may be ahead, must still take it. */
const USED_LIFE = 0.8;
/** And no longer: one that was revoked meanwhile is not offered again for the rest of an hour. */
const MOST_USED_MS = 60_000;

/** RFC 6749, 5.1. Without `expires_in` a token is used once. */
const answerOf = z.object({
  access_token: z.string().min(1),
  expires_in: z.coerce.number().positive().optional(),
});

/** Access tokens for a service, by its client credentials (RFC 6749, 4.4). One is used until it is about to expire. */
export class Tokens {
  private readonly settings: TokenSettings;
  private readonly now: () => number;
  private latest: { readonly token: string; readonly until: number } | undefined;
  private asking: Promise<string> | undefined;

  constructor(settings: TokenSettings, now: () => number = Date.now) {
    this.settings = settings;
    this.now = now;
  }

  /** Throws KAFKA_TOKEN_REFUSED (retry) if there is none to be had. */
  current(): Promise<string> {
    if (this.latest && this.now() < this.latest.until) return Promise.resolve(this.latest.token);
    this.asking ??= this.ask().finally(() => {
      this.asking = undefined;
    });
    return this.asking;
  }

  private async ask(): Promise<string> {
    const askedAt = this.now();
    const { access_token: token, expires_in: seconds = 0 } = await this.answer();
    this.latest = { token, until: askedAt + Math.min(MOST_USED_MS, seconds * 1_000 * USED_LIFE) };
    return token;
  }

  private async answer(): Promise<z.output<typeof answerOf>> {
    const { tokenUrl = '', username, password, scope } = this.settings;
    const credentials = [username, password.reveal()].map(encodeURIComponent).join(':');
    try {
      const response = await fetch(tokenUrl, {
        method: 'POST',
        redirect: 'error',
        signal: AbortSignal.timeout(REQUEST_MS),
        headers: {
          accept: 'application/json',
          authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
        },
        body: new URLSearchParams({ grant_type: 'client_credentials', ...(scope ? { scope } : {}) }),
      });
      const text = await bounded(response);
      if (response.status !== 200) throw refused(`status ${response.status}`);
      return answerOf.parse(JSON.parse(text));
    } catch (cause) {
      throw cause instanceof PipelineError ? cause : refused('no answer with a token', cause);
    }
  }
}

async function bounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw refused('an answer that is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** As retriable as a broker that does not answer. Never with the answer's text, which may repeat the secret. */
class TokenRefused extends PipelineError {
  readonly retriable = true;
}

const refused = (what: string, cause?: unknown) => {
  const harmless = cause instanceof z.ZodError || cause instanceof SyntaxError ? undefined : cause;
  return new TokenRefused('KAFKA_TOKEN_REFUSED', 'retry', `kafka.sasl.tokenUrl: ${what}`, {
    cause: harmless,
  });
};
