/** Tells the world how a run goes: a webhook with a signed JSON body, or a healthchecks-style ping. */
import { createHmac } from 'node:crypto';
import { ApplicationFailure, Context } from '@temporalio/activity';
import { z } from 'zod';
import { readSecret } from '../hosts/secret-source';
import { counted } from '../planning/counted';
import { redactText } from '../planning/redact-text';
import type { Notify, NotifyEvent } from '../runbooks/types';
import type { ActivityDeps } from './context';
import { asActivity } from './context';

/** What is sent to a webhook; additive only. */
export interface Notice {
  event: NotifyEvent;
  group: string;
  run: string;
  /** `backup`, `restore`, … */
  kind: string;
  /** The verdict, or what the run waits for, in a sentence. */
  message: string;
  backupId?: string;
  step?: string;
}

/** How long one address may take to answer, ms. */
const TIMEOUT_MS = 10_000;
const failureShape = z.object({
  name: z.string(),
  message: z.string(),
  cause: z.unknown().optional(),
  errors: z.array(z.unknown()).optional(),
});
/** Which of the wanted were reached by earlier attempts, as positions: they are not told again. Addresses may hold secrets. */
const reachedSchema = z.array(z.number().int());

/** Makes the activity `notify`. */
export function notifyActivities({ logger }: ActivityDeps) {
  async function notify(input: { to: Notify[]; notice: Notice }): Promise<{ sent: number }> {
    const { to, notice } = input;
    const wanted = to.filter((each) => each.on.includes(notice.event));
    const context = Context.current();
    const before = reachedSchema.safeParse(context.info.heartbeatDetails).data ?? [];
    const reached = new Set(before);
    const failed: string[] = [];
    await Promise.all(
      wanted.map(async (each, index) => {
        if (reached.has(index)) return;
        try {
          await send({ to: each, notice });
        } catch (error) {
          failed.push(redactText(`${hostOf(each.url)}: ${whyNotSent(error)}`));
          return;
        }
        reached.add(index);
        context.heartbeat([...reached]);
      }),
    );
    logger.info(
      {
        run: notice.run,
        host: 'director',
        step: 'notify',
        event: notice.event,
        sent: reached.size - before.length,
        failed: failed.length,
      },
      'notified',
    );
    if (failed.length > 0) {
      throw ApplicationFailure.create({
        type: 'notify-failed',
        message: `${failed.length} of ${counted(wanted.length, 'notification')} failed: ${failed.join('; ')}`,
      });
    }
    return { sent: wanted.length };
  }
  return { notify: (input: { to: Notify[]; notice: Notice }) => asActivity(() => notify(input)) };
}

async function send({ to, notice }: { to: Notify; notice: Notice }): Promise<void> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const body = JSON.stringify({ resurgoNotice: 1, ...notice, atMs: Date.now() });
  const { url, headers: login } = withoutLogin(to.url);
  const headers: Record<string, string> = { 'content-type': 'application/json', ...login };
  if (to.secret !== null) {
    headers['x-resurgo-signature'] = `sha256=${createHmac(
      'sha256',
      (await readSecret({ secret: to.secret, timeoutMs: TIMEOUT_MS })).trim(),
    )
      .update(body)
      .digest('hex')}`;
  }
  const response =
    to.kind === 'ping'
      ? await fetch(pingUrl({ url, event: notice.event }), {
          method: 'POST',
          headers: login,
          body: notice.message,
          signal,
        })
      : await fetch(url, { method: 'POST', headers, body, signal });
  if (!response.ok) throw new Error(`it answered ${response.status}`);
}

/** Who was to be told: the host alone, because path and query are often the secret. */
function hostOf(address: string): string {
  return URL.canParse(address) ? new URL(address).host : 'an address that is none';
}

/** `fetch` says only that it failed; what it failed of is its cause, and of a host with several addresses a list of causes. */
function whyNotSent(error: unknown): string {
  const { data } = failureShape.safeParse(error);
  if (data === undefined) return String(error);
  if (data.name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1000} s`;
  if (data.cause !== undefined) return whyNotSent(data.cause);
  return data.message === '' && data.errors !== undefined ? data.errors.map(whyNotSent).join(', ') : data.message;
}

/** A user and password in the address go into a header: `fetch` refuses such an address, and names it whole in its error. */
function withoutLogin(address: string): { url: string; headers: Record<string, string> } {
  const url = new URL(address);
  const { username, password } = url;
  if (username === '' && password === '') return { url: address, headers: {} };
  [url.username, url.password] = ['', ''];
  const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
  return { url: url.href, headers: { authorization: `Basic ${login}` } };
}

/** The healthchecks convention: the bare address is success, `/start` and `/fail` the others. */
export function pingUrl({ url, event }: { url: string; event: NotifyEvent }): string {
  const suffix = { start: '/start', success: '', failure: '/fail', 'needs-operator': '/fail' }[event];
  return url.replace(/\/+$/, '') + suffix;
}
