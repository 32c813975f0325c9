/** Whether a host could be made again on blank disks, as a backup tells it: by what its layout could not keep. */
import type { Layout } from './layout-schema';
import type { Manifest } from './manifest';

/** What a manifest says of one host's layout. */
export interface LayoutEntry {
  /** Without the deployment's prefix. */
  host: string;
  /** Of the layout's canonical JSON, as it lies in the backup; null where none does. */
  sha256: string | null;
  recoverable: boolean;
  /** Why not, as sentences' ends; those that weigh most first. */
  reasons: string[];
}

/** Hosts that a backup holds whole, and that could not be made again from it. */
export type NotRecoverable = Pick<LayoutEntry, 'host' | 'reasons'>;

/** The word of the runbook for all of a host's own file systems as one source. */
const SYSTEM = 'system';

/** So many reasons are told, and so much of each: a manifest of a thousand hosts must stay small. */
const MOST_REASONS = 10;
const MOST_CHARS = 300;

/** What a layout's limits come to. */
export function recoverability({ limits }: Pick<Layout, 'limits'>): Pick<LayoutEntry, 'recoverable' | 'reasons'> {
  const fatal = limits.filter(({ weight }) => weight === 'fatal').map(({ what, why }) => `${what}: ${why}`);
  const told = fatal.slice(0, MOST_REASONS).map(shortened);
  const more = fatal.length - told.length;
  return { recoverable: fatal.length === 0, reasons: more > 0 ? [...told, `and ${more} more`] : told };
}

/** The entry of a host whose layout is not kept. */
export function unkept({ host, why }: { host: string; why: string }): LayoutEntry {
  return { host, sha256: null, recoverable: false, reasons: [shortened(why)] };
}

/** The hosts whose whole system is in the backup, and which could not be made again from it. Sorted by name. */
export function notRecoverable({ sources, layouts }: Pick<Manifest, 'sources' | 'layouts'>): NotRecoverable[] {
  const whole = sources.flatMap((each) => (each.state === 'ok' && each.kind === SYSTEM ? [each.host] : []));
  return [...new Set(whole)].sort().flatMap((host): NotRecoverable[] => {
    const entry = layouts.find((each) => each.host === host);
    if (entry === undefined) return [{ host, reasons: ['its layout is not in the backup'] }];
    return entry.recoverable && entry.sha256 !== null ? [] : [{ host, reasons: entry.reasons }];
  });
}

/** `app-1 is not recoverable from bare metal, because …`. */
export function notRecoverableText({ host, reasons }: NotRecoverable): string {
  return `${host} is not recoverable from bare metal, because ${reasons.join('; ')}`;
}

function shortened(text: string): string {
  return text.length > MOST_CHARS ? `${text.slice(0, MOST_CHARS - 1)}…` : text;
}
