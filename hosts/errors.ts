/**
 * What can go wrong between the director and a host, as one typed error that names the host, the verb and the step and says what
 * to do next. `retryable` means that the same call may succeed later without a person doing anything.
 */
import { z } from 'zod';

/** Codes of the hostkit's own refusals (docs/hostkit.md). */
export const HOSTKIT_CODES = [
  'bad-request',
  'not-allowed',
  'fenced',
  'lease-held',
  'not-found',
  'exists',
  'busy',
  'no-space',
  'missing-tool',
  'not-mounted',
  'identity-changed',
  'torn',
  'deadman-fired',
  'too-many-deletions',
  'snapshot-lost',
  'needs-passphrase',
  'rebooted',
  'failed',
  'internal',
] as const;
export type HostkitCode = (typeof HOSTKIT_CODES)[number];

/** Codes of what happens before or around the hostkit. */
export type TransportCode =
  | 'unreachable'
  | 'timeout'
  | 'connection-lost'
  | 'session-lost'
  | 'host-key-unknown'
  | 'host-key-changed'
  | 'auth-refused'
  | 'sudo-refused'
  | 'hostkit-missing'
  | 'hostkit-old'
  | 'bad-reply'
  | 'closed'
  | 'job-died'
  | 'job-failed'
  | 'plan-changed'
  | 'not-enrolled'
  | 'enrolment'
  | 'still-there'
  | 'cannot-ask'
  | 'not-rebooted'
  | 'not-recovered'
  | 'not-recoverable';
export type HostErrorCode = HostkitCode | TransportCode;

export interface HostErrorFields {
  host: string;
  verb: string;
  step?: string;
  code: HostErrorCode;
  message: string;
  /** What to do next; a default for the code when left out. */
  next?: string;
  retryable?: boolean;
  /** The fields that came with a refusal, or the tail of stderr; never a secret. */
  detail?: Record<string, unknown>;
  cause?: unknown;
}

interface Advice {
  next: string;
  retryable: boolean;
}

const ADVICE: Record<HostErrorCode, Advice> = {
  'bad-request': {
    next: 'director and hostkit disagree: run `resurgo enroll HOST --update`, then try again',
    retryable: false,
  },
  'not-allowed': {
    next: "the host's own configuration does not allow this: change the runbook and run `resurgo enroll HOST --update`",
    retryable: false,
  },
  fenced: { next: 'a newer attempt or run has taken over; this one must end', retryable: false },
  'lease-held': { next: 'another run holds the group; wait for it to end (`resurgo runs`)', retryable: true },
  'not-found': { next: 'check the name with `resurgo doctor`', retryable: false },
  exists: { next: 'it is there already: look at it before trying again', retryable: false },
  busy: { next: 'something still uses it; it is tried again', retryable: true },
  'no-space': {
    next: 'make room where the message says, then retry the step; to prune the store first, end this run (`resurgo abort RUN`), as it holds the group',
    retryable: false,
  },
  'missing-tool': { next: 'install the tool on the host, then run `resurgo enroll HOST --update`', retryable: false },
  'not-mounted': { next: 'mount the file system on the host, then retry the step', retryable: false },
  'identity-changed': {
    next: 'the path is no longer the file system that was enrolled: look at the host before going on',
    retryable: false,
  },
  torn: { next: 'the freeze was torn; it is repeated', retryable: true },
  'deadman-fired': { next: 'the pause took longer than allowed; it is repeated', retryable: true },
  'too-many-deletions': {
    next: 'look at what lies there before you retry: a retry deletes as many again',
    retryable: false,
  },
  'snapshot-lost': {
    next: 'end this run (`resurgo abort RUN`), make the room that the message asks for, and back up again: this instant is lost',
    retryable: false,
  },
  'needs-passphrase': {
    next: 'give the rescue system the right one (`resurgo recover HOST --at ADDRESS --arm-only` asks for it), then retry the step',
    retryable: false,
  },
  failed: { next: 'read the message and the log on the host, then retry the step', retryable: true },
  internal: { next: 'run `resurgo doctor`; if it comes again, report it with the log', retryable: true },
  unreachable: { next: 'check that the host is up, and its address, port and firewall', retryable: true },
  timeout: { next: 'the host did not answer in time: check its load, then retry', retryable: true },
  'connection-lost': { next: 'the connection broke; it is tried again', retryable: true },
  'session-lost': { next: 'the host thaws itself; the freeze is repeated', retryable: true },
  'host-key-unknown': { next: 'run `resurgo enroll HOST` to pin its ssh host key', retryable: false },
  'host-key-changed': {
    next: 'this may be another machine. If the host was really reinstalled, run `resurgo enroll HOST --accept-host-key FINGERPRINT`',
    retryable: false,
  },
  'auth-refused': {
    next: "the host does not take the director's key: run `resurgo enroll HOST --update`; after a `resurgo keys rotate` that did not reach this host, run that again",
    retryable: false,
  },
  'sudo-refused': {
    next: 'the sudoers rule is missing or sudo is not installed: run `resurgo enroll HOST --update`',
    retryable: false,
  },
  'hostkit-missing': { next: 'run `resurgo enroll HOST`', retryable: false },
  'hostkit-old': { next: 'run `resurgo enroll HOST --update`', retryable: false },
  'bad-reply': { next: 'run `resurgo doctor` to compare the hostkit with this director', retryable: false },
  closed: { next: 'the director is shutting down; the run goes on when a worker is back', retryable: true },
  'job-died': { next: 'the job ended without a result (reboot or kill); it is started again', retryable: true },
  'plan-changed': { next: 'restore again, and read the new plan', retryable: false },
  'job-failed': { next: 'read the end of its log below, then retry the step', retryable: true },
  'not-enrolled': { next: 'run `resurgo enroll HOST`', retryable: false },
  'still-there': {
    next: 'two machines with one identity would do harm: shut the old one down, or take it off the network, and recover again',
    retryable: false,
  },
  'cannot-ask': {
    next: 'go and look; a fingerprint can be compared with the one on the printed sheet. Where the old machine is off for good, recover again with --old-machine-is-gone',
    retryable: false,
  },
  rebooted: {
    next: 'a recovery begins anew then: run `resurgo recover` again',
    retryable: false,
  },
  'not-rebooted': {
    next: 'retry asks for the reboot again; or restart the machine by hand, without its rescue medium, and retry',
    retryable: false,
  },
  'not-recovered': {
    next: 'start the machine from the disks that were recovered, then retry',
    retryable: false,
  },
  'not-recoverable': {
    next: 'take another backup (--backup), or bring the data back by itself: `resurgo restore`',
    retryable: false,
  },
  enrolment: {
    next: 'mend what the message says and run `resurgo enroll HOST` again: it goes on from there',
    retryable: false,
  },
};

/** An error at one host. `message` is whole: host, verb, step, what happened, and what to do. */
export class HostError extends Error {
  readonly host: string;
  readonly verb: string;
  readonly step: string;
  readonly code: HostErrorCode;
  /** What happened, without the host and the advice. */
  readonly reason: string;
  readonly next: string;
  readonly retryable: boolean;
  readonly detail: Record<string, unknown>;

  constructor(fields: HostErrorFields) {
    const advice = ADVICE[fields.code];
    const next = (fields.next ?? advice.next).replaceAll('HOST', fields.host);
    const step = fields.step ?? '';
    const where = `${fields.host}: ${fields.verb}${step === '' ? '' : ` (step ${step})`}`;
    super(`${where}: ${printable(fields.message)} [${fields.code}] Next: ${next}`, { cause: fields.cause });
    this.name = 'HostError';
    this.host = fields.host;
    this.verb = fields.verb;
    this.step = step;
    this.code = fields.code;
    this.reason = printable(fields.message);
    this.next = next;
    this.retryable = fields.retryable ?? advice.retryable;
    this.detail = fields.detail ?? {};
  }
}

/**
 * Is the host away: not to be reached, silent, or gone in the middle? A network that drops packets, a host that hangs and one that is
 * off differ only in how the director comes to know of it. A session that the host itself ended is none of these.
 */
export function isAway(error: unknown): error is HostError {
  if (!(error instanceof HostError)) return false;
  if (error.code === 'session-lost') return error.detail['exit'] === null;
  return ['unreachable', 'timeout', 'connection-lost'].includes(error.code);
}

/** Codes of a host that is there, and whose door is shut to this director until somebody enrols it anew. */
const SHUT: readonly HostErrorCode[] = [
  'host-key-unknown',
  'host-key-changed',
  'auth-refused',
  'sudo-refused',
  'hostkit-missing',
];

/** Is the host one that this director can't enter: reinstalled, say? Waiting does not help. */
export function isShut(error: unknown): error is HostError {
  return error instanceof HostError && SHUT.includes(error.code);
}

/** The term that a host has seen of a run which holds the group no more: the group's store counts anew, and has to be asked for a higher one. */
export function seenTerm(error: unknown): number | undefined {
  if (!(error instanceof HostError) || error.code !== 'fenced') return undefined;
  const { seen } = error.detail;
  return typeof seen === 'number' ? seen : undefined;
}

const heldBy = z.object({ holder: z.object({ run: z.string(), owner: z.string() }) });

/** Who holds the group, where that is why a lease was refused. */
export function holderOf({ code, detail }: HostError): { run: string; owner: string } | undefined {
  return code === 'lease-held' ? heldBy.safeParse(detail).data?.holder : undefined;
}

/** Text from a host with control characters made visible and its length bounded (S29). */
export function printable(text: string, max = 2048): string {
  const visible = text.replace(/[\p{Cc}\p{Cf}]/gu, (char) =>
    char === '\n' ? ' | ' : `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
  return visible.length > max ? `${visible.slice(0, max)}…` : visible;
}

export function isHostkitCode(code: string): code is HostkitCode {
  return (HOSTKIT_CODES as readonly string[]).includes(code);
}

interface ExecEnd {
  host: string;
  verb: string;
  step?: string;
  exit: number | null;
  stderr: string;
}

/** What an exec channel that ended without a line of JSON means: sudo, the hostkit or the connection. */
export function errorOfSilentEnd({ host, verb, step, exit, stderr }: ExecEnd): HostError {
  const tail = stderr.slice(-2048).trim();
  const at = { host, verb, step, detail: { exit, stderr: tail } };
  if (/sudo: .*(password is required|not allowed|may not run|sudoers|no tty)/i.test(tail)) {
    return new HostError({ ...at, code: 'sudo-refused', message: tail });
  }
  if (/sudo: not found|sudo: command not found|sudo: No such file|sudo: inaccessible/i.test(tail)) {
    return new HostError({ ...at, code: 'sudo-refused', message: 'sudo is not installed on the host' });
  }
  if (exit === 127 || exit === 126 || /hostkit: (not found|No such file|command not found)/i.test(tail)) {
    return new HostError({ ...at, code: 'hostkit-missing', message: tail === '' ? 'no hostkit there' : tail });
  }
  if (exit === null) {
    return new HostError({ ...at, code: 'connection-lost', message: 'the connection broke before the answer' });
  }
  return new HostError({
    ...at,
    code: 'bad-reply',
    message: `exit ${exit} without an answer${tail === '' ? '' : `: ${tail}`}`,
  });
}
