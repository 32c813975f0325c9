/** Adds run id, host and step to every line that an activity logs through its context. */
import type { Context } from '@temporalio/activity';
import type { ActivityInterceptors } from '@temporalio/worker';
import { z } from 'zod';

/** What an activity's input may say about where it belongs; everything else in it is nobody's business in a log. */
const subjectSchema = z.object({
  run: z.string().optional().catch(undefined),
  runId: z.string().optional().catch(undefined),
  group: z.string().optional().catch(undefined),
  step: z.string().optional().catch(undefined),
  source: z.string().optional().catch(undefined),
  host: z
    .union([z.string(), z.object({ name: z.string() }).transform(({ name }) => name)])
    .optional()
    .catch(undefined),
});

/** `run`, `host`, `step`, `group` and `source` as far as an activity's input names them, at its top or in its `fence`. */
export function subjectOf(input: unknown): Record<string, string> {
  const outer = subjectSchema.safeParse(input).data ?? {};
  const fence = z.object({ fence: subjectSchema }).safeParse(input).data?.fence ?? {};
  const { runId, ...subject } = { ...fence, ...defined(outer) };
  return defined({ ...(runId === undefined ? {} : { run: runId }), ...subject });
}

/** Activity interceptor: the SDK calls it once per activity execution. */
export function stepLogAttributes(context: Context): ActivityInterceptors {
  let subject: Record<string, string> = {};
  return {
    inbound: {
      execute(input, next) {
        subject = { step: context.info.activityType, ...subjectOf(input.args[0]) };
        return next(input);
      },
    },
    outbound: {
      getLogAttributes(input, next) {
        return { ...next(input), ...subject };
      },
    },
  };
}

function defined<T>(fields: Record<string, T | undefined>): Record<string, T> {
  return Object.fromEntries(Object.entries(fields).filter((entry): entry is [string, T] => entry[1] !== undefined));
}
