/** A line from the hostkit → the parsed reply of its verb, or the HostError that it stands for. */
import { z } from 'zod';
import { HostError, isHostkitCode } from './errors';

const envelope = z.discriminatedUnion('ok', [
  z.looseObject({ ok: z.literal(true) }),
  z.looseObject({ ok: z.literal(false), code: z.string(), message: z.string().default('') }),
]);

export interface ReplyLine<S extends z.ZodType> {
  line: string;
  schema: S;
  host: string;
  verb: string;
  step?: string;
}

/** @throws HostError with the hostkit's code, `hostkit-old` for a verb it does not know, or `bad-reply` */
export function parseReply<S extends z.ZodType>({ line, schema, ...at }: ReplyLine<S>): z.output<S> {
  const answer = envelope.safeParse(asJson(line));
  if (!answer.success) {
    throw new HostError({ ...at, code: 'bad-reply', message: `not an answer: ${line.slice(0, 200)}` });
  }
  if (!answer.data.ok) {
    const { code, message } = answer.data;
    const detail = Object.fromEntries(
      Object.entries(answer.data).filter(([key]) => !['ok', 'code', 'message'].includes(key)),
    );
    const unknownVerb =
      code === 'bad-request' && /there is no '[a-z.]+' in verbs here|version 1 of the protocol/.test(message);
    const known = isHostkitCode(code) ? code : 'failed';
    throw new HostError({ ...at, code: unknownVerb ? 'hostkit-old' : known, message, detail });
  }
  const reply = schema.safeParse(answer.data);
  if (reply.success) return reply.data;
  const where = reply.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).slice(0, 3);
  throw new HostError({ ...at, code: 'bad-reply', message: `unexpected answer (${where.join('; ')})` });
}

function asJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
