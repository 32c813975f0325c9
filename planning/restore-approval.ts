/** A restore goes on only with a person's word for exactly the plan that was shown. */
import { canonicalJson } from './canonical';
import type { RestorePlan } from './restore';
import { sha256Hex } from './sha256';

/** The hash that an approval names: SHA-256 over the plan's canonical JSON, 64 hex digits. */
export function planHash(plan: RestorePlan): string {
  return sha256Hex(canonicalJson(plan));
}

/** What may be deleted beyond what was counted: this many entries, or this share of the count. Hosts work on until they are stopped. */
const MARGIN = { entries: 100, share: 0.1 };

/** How many entries an approval lets a restore delete in one place, where `counted` were counted for its plan. */
export function deletionLimit(counted: number): number {
  return counted + Math.max(MARGIN.entries, Math.ceil(counted * MARGIN.share));
}

/** So many digits of a plan's hash are enough to approve it by hand. */
export const SHORT_HASH = 12;

/** Whether the text can be a plan's hash: all of it, or its first {@link SHORT_HASH} digits or more. */
export function isPlanHash(text: string): boolean {
  return text.length >= SHORT_HASH && text.length <= 64 && /^[0-9a-f]+$/i.test(text);
}

/** Whether an approval names the plan of this hash: by all of it, or by its first {@link SHORT_HASH} digits or more. */
export function approves({ approval, hash }: { approval: string; hash: string }): boolean {
  return isPlanHash(approval) && hash.startsWith(approval.toLowerCase());
}
