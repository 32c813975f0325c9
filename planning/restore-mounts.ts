/** What was mounted at a destination since its plan was made: a restore that deletes would empty it (S20). */

/** How a destination lies among its host's mounts. */
export interface Mounts {
  /** What is mounted in it: rsync patterns relative to it. */
  nested: readonly string[];
  /** What it lies on. */
  mountPoint?: string;
}

/** A file system's own: zfs mounts a snapshot when somebody looks into it, and in `.resurgo` lie ours. */
const OWN = /(^|\/)\.zfs\/|^\/\.resurgo(\/|$)/;

/** What is mounted there now and was not for the plan. */
export function mountedSince({ planned, now }: { planned: Pick<Mounts, 'nested'>; now: Mounts }): string[] {
  return now.nested.filter((pattern) => !planned.nested.includes(pattern));
}

/** Why the plan no longer holds for what is mounted now, in words; undefined where it does. What is gone harms nobody. */
export function mountsChanged({
  planned,
  now,
  single,
}: {
  planned: Mounts;
  now: Mounts;
  /** Nothing beside a single file is touched: what is mounted there is no matter. */
  single: boolean;
}): string | undefined {
  if (planned.mountPoint !== undefined && now.mountPoint !== undefined && planned.mountPoint !== now.mountPoint)
    return `it lies on the mount ${now.mountPoint} now, and on ${planned.mountPoint} when its plan was made`;
  const late = mountedSince({ planned, now }).filter((pattern) => !OWN.test(pattern));
  if (single || late.length === 0) return undefined;
  const names = late.map((pattern) => pattern.slice(1)).join(', ');
  return `${names} ${late.length === 1 ? 'is' : 'are'} mounted in it now, and ${late.length === 1 ? 'was' : 'were'} not when its plan was made`;
}
