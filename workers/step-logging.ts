/** Tells the begin and the end of every activity in its run's log, and adds run id, host and step to each line of an activity. */
import type { Context } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
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

const placeSchema = z
  .object({ host: z.object({ name: z.string() }) })
  .optional()
  .catch(undefined);

/** `run`, `host`, `step`, `group` and `source` as far as an activity's input names them, at its top or in its `fence`. */
export function subjectOf(input: unknown): Record<string, string> {
  const outer = subjectSchema.safeParse(input).data ?? {};
  const fence = z.object({ fence: subjectSchema }).safeParse(input).data?.fence ?? {};
  const { runId, ...subject } = { ...fence, ...defined(outer) };
  const place = outer.host === undefined ? placeOf(input) : {};
  return defined({ ...(runId === undefined ? {} : { run: runId }), ...place, ...subject });
}

/** The host of the source or the store that a step is about. */
function placeOf(input: unknown): { host?: string } {
  const about = z.object({ source: placeSchema, store: placeSchema }).safeParse(input).data;
  const host = about?.source?.host.name ?? about?.store?.host.name;
  return host === undefined ? {} : { host };
}

/** Activity interceptor: the SDK calls it once per activity execution. */
export function stepLogAttributes(context: Context): ActivityInterceptors {
  let subject: Record<string, string> = {};
  return {
    inbound: {
      async execute(input, next) {
        const { activityType, attempt } = context.info;
        subject = { step: activityType, ...subjectOf(input.args[0]) };
        const began = Date.now();
        const figures = () => ({ activity: activityType, attempt, durationMs: Date.now() - began });
        context.log.info(`${activityType} begins`, { activity: activityType, attempt });
        try {
          const result: unknown = await next(input);
          context.log.info(`${activityType} ends`, figures());
          return result;
        } catch (error) {
          // A failure is told by the SDK, with its reason; a step that is left or cancelled is none.
          if (error instanceof CancelledFailure) context.log.info(`${activityType} is left`, figures());
          throw error;
        }
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
