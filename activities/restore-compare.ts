/** What has come back, compared by the destination's own listing with the one that was sealed (S9). */
import { z } from 'zod';
import { HostError } from '../hosts/errors';
import type { Hosts } from '../hosts/hosts';
import { runJob } from '../hosts/jobs';
import { jobName } from '../planning/ids';
import { differencesInWords } from '../planning/listing';
import type { RunFence } from './context';
import { fenceFor } from './context';
import { nameOf, placeArgs, protectArgs } from './restore-item';
import type { RestoreItemRef } from './restore-item';
import { keyFor } from './restore-pass';

const compared = z.looseObject({
  differences: z.array(z.string()).default([]),
  kept: z.array(z.string()).default([]),
});
export type Compared = z.infer<typeof compared>;

export interface CompareInput {
  fence: RunFence;
  item: RestoreItemRef;
  /** SHA-256 of the listing that came with the data. */
  listingSha256: string;
  signal: AbortSignal;
  /** What was sent before: each has a comparison of its own. */
  after?: 'stream';
}

/** The destination lists itself; what is protected there doesn't count (S20). @throws HostError where it can't be compared */
export async function compareItem({ hosts, ...input }: CompareInput & { hosts: Hosts }): Promise<Compared> {
  const { fence, item, listingSha256, signal, after } = input;
  const step = `verify ${nameOf(item)}`;
  const { result } = await runJob({
    hosts,
    host: item.destination.host,
    job: jobName({
      run: fence.run,
      step: after === undefined ? 'verify' : `verify-${after}`,
      key: keyFor({ fence, item }),
    }),
    kind: 'restore-verify',
    fence: fenceFor({ fence, step }),
    step,
    signal,
    args: {
      ...placeArgs(item),
      tree: item.destination.source?.tree ?? item.backup.tree,
      sha256: listingSha256,
      extra: !item.deletes,
      ...protectArgs(item),
    },
  });
  return compared.parse(result);
}

/** The same, where it must be equal. Returns the folders kept for what is protected in them. @throws HostError where it differs */
export async function verifyItem(input: CompareInput & { hosts: Hosts }): Promise<string[]> {
  const { item } = input;
  const { differences, kept } = await compareItem(input);
  if (differences.length === 0) return kept;
  throw new HostError({
    host: item.destination.host.name,
    verb: 'restore-verify',
    step: `verify ${nameOf(item)}`,
    code: 'failed',
    message: `what lies there now is not the backup: ${differencesInWords({ differences })}`,
    // The same try would only find the same again: `retry` sends anew.
    retryable: false,
    next: `${AGAIN}; or ${damagedWords(item)}`,
  });
}

export const AGAIN =
  'retry restores it again, compared by content; if it differs again, something still writes there, or the file can not be replaced (lsattr shows `i`: chattr -i)';

/** What is compared is the listing that was sealed: data that the store has not kept differ as well. */
function damagedWords({ backup: { id }, store: { name, group, host } }: RestoreItemRef): string {
  return `backup ${id} in store ${name} on ${host.name} is damaged: abort, and restore another one (\`resurgo list ${group}\`)`;
}
