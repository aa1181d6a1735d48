import { PipelineError } from '@email-events/core/errors';

/** No admin port has as much to tell: hundreds of partitions and sources come to some hundred kilobytes of metrics. */
const MAX_BYTES = 16_777_216;

/**
 * The text that an admin port answers with, whatever the status. Its address may be that of anything: the answer is bounded in time and
 * size, and redirects are not followed. Throws if there is none.
 */
export async function adminText(url: string, timeoutMs: number): Promise<{ ok: boolean; text: string }> {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs), redirect: 'error' });
  const decoder = new TextDecoder();
  let bytes = 0;
  let text = '';
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES)
      throw new PipelineError('CLI_UNAVAILABLE', 'reject', `${url}: the answer is too long`);
    text += decoder.decode(chunk, { stream: true });
  }
  return { ok: response.ok, text };
}
