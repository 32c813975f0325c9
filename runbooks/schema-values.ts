/**
 * The small values of the schema. The message of each says what is expected there ("a duration such as `30s`"); the loader adds
 * where it stands and what was found. Nothing is converted here, so the same schema gives the JSON Schema for editors.
 */
import { z } from 'zod';
import { BANDWIDTH_PATTERN, DURATION_PATTERN, parseDuration, parseBandwidth, PERCENT_PATTERN } from './units';

export const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Names that every JavaScript object already has: as keys of a map they would be found where nothing was written. */
const BUILT_IN = new Set(Object.getOwnPropertyNames(Object.prototype));

/** Text of one shape, with the words that an error uses for it. */
function text({ shape, expected }: { shape: RegExp; expected: string }): z.ZodString {
  return z.string({ error: expected }).regex(shape, { error: expected });
}

function key({ shape, expected }: { shape: RegExp; expected: string }) {
  return text({ shape, expected }).refine((name) => !BUILT_IN.has(name), {
    error: 'a name that JavaScript does not keep for itself',
  });
}

const NAME_WORDS = 'a name of letters, digits, `.`, `_` and `-`, at most 64, that begins with a letter or digit';

export const name = text({ shape: NAME, expected: NAME_WORDS });
export const nameKey = key({ shape: NAME, expected: NAME_WORDS });
export const groupKey = key({
  shape: /^[a-z0-9][a-z0-9-]{0,39}$/,
  expected: 'a group name of small letters, digits and `-`, at most 40, that begins with a letter or digit',
});
export const label = text({ shape: NAME, expected: `a label: ${NAME_WORDS}` });
export const user = text({
  shape: /^[a-z_][a-z0-9_-]{0,31}$/,
  expected: 'a user name of small letters, digits, `_` and `-`',
});
/** The hostkit's own form of it begins with a letter. */
export const unprivilegedUser = text({
  shape: /^(?!root$)[a-z][a-z0-9_-]{0,31}$/,
  expected: 'the name of an unprivileged user, not root: small letters, digits, `_` and `-`, beginning with a letter',
});
export const address = text({
  shape: /^[A-Za-z0-9.:-]{1,255}$/,
  expected: 'a host name or an IP address, without user or port',
});
export const deployment = text({
  shape: /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?$/,
  expected: 'a prefix of letters, digits and `-`, written without the dash that follows it',
});

/** Absolute and normal: no `.`, `..` or empty part, no control characters; a slash at the end is let through. */
export const path = text({
  shape: /^(?!.*\/\.{1,2}(?:\/|$))\/(?:[^/\x00-\x1f\x7f]+(?:\/[^/\x00-\x1f\x7f]+)*\/?)?$/,
  expected: 'an absolute path without `.`, `..`, `//` or control characters',
}).max(4096, { error: 'a path of at most 4096 characters' });

export const program = text({
  shape: /^(?!.*\/\.{1,2}(?:\/|$))(?:\/[A-Za-z0-9._@:=,+-]+)+$/,
  expected: 'the absolute path of a program on that host, without arguments (write a script for those)',
});

/** A place in a store: a folder, or a dataset for zfs; which of both is checked against the kind. */
export const place = z
  .string({ error: 'an absolute folder, or for zfs a dataset such as `tank/backup`' })
  .min(1, { error: 'an absolute folder, or for zfs a dataset such as `tank/backup`' });

export const pattern = text({
  shape: /^(?![!;#]|[+-] )[^\x00-\x1f\x7f]{1,1024}$/,
  expected: 'an rsync pattern relative to the source, such as `cache/` or `*.tmp`, without a rule sign before it',
});

export const containerLabel = text({
  shape: /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}=[^\x00-\x20\x7f]{1,256}$/,
  expected: 'a container label `key=value`',
});

export const unitName = text({
  shape: /^[A-Za-z0-9:_.@\\-]{1,200}\.(?:service|socket|timer|target|slice|scope)$/,
  expected: 'a systemd unit with its suffix, such as `postgresql.service`',
});

export const url = text({
  shape: /^https?:\/\/[^\s/@?#\x00-\x1f]+(?:[/?#][^\s\x00-\x1f]*)?$/,
  expected: 'an http or https URL without user and password in it',
});

export const line = text({
  shape: /^[^\x00-\x1f\x7f]{1,200}$/,
  expected: 'one line of text of at most 200 characters',
});

/** A duration between two bounds, both written as durations. */
export function duration({ min, max }: { min: string; max: string }) {
  const expected = `a duration from ${min} to ${max}, such as \`30s\`, \`5m\`, \`24h\` or \`7d\``;
  return text({ shape: DURATION_PATTERN, expected }).refine(
    (value) => parseDuration(value) >= parseDuration(min) && parseDuration(value) <= parseDuration(max),
    { error: expected },
  );
}

const BANDWIDTH_WORDS = '`none`, or a bandwidth of at least 64 kB/s in bytes or bits, such as `50MB/s` or `400Mbit/s`';
/** Under 64 kB/s a limit is a slip of the unit, and rounding would soon make it none at all. */
export const bandwidth = z.union(
  [
    z.literal(0, { error: BANDWIDTH_WORDS }),
    text({ shape: BANDWIDTH_PATTERN, expected: BANDWIDTH_WORDS }).refine(
      (value) => value === 'none' || (parseBandwidth(value) >= 64_000 && parseBandwidth(value) <= 1e12),
      { error: BANDWIDTH_WORDS },
    ),
  ],
  { error: BANDWIDTH_WORDS },
);

export const percent = text({ shape: PERCENT_PATTERN, expected: 'a share from 0% to 100%, such as `50%`' });

export function int({ min, max }: { min: number; max: number }) {
  const expected = `a whole number from ${min} to ${max}`;
  return z.int({ error: expected }).min(min, { error: expected }).max(max, { error: expected });
}
