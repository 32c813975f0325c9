/** A host's variables as a runbook needs them: templates filled in, truth and numbers understood, the rest reported. */
import { type NotCarried, type Variable, type Variables } from './inventory';

/** A template may name variables that are templates themselves, so deep at most. */
const MAX_ROUNDS = 8;

export interface Values {
  text: (...names: string[]) => string | undefined;
  int: (...names: string[]) => number | undefined;
  truth: (...names: string[]) => boolean;
  /** The items of a list, or the one value as a list. */
  list: (...names: string[]) => string[];
  /** Where the first of these variables was set. */
  origin: (...names: string[]) => Variable | undefined;
}

/**
 * Reads one host's variables. Each look-up takes the first name that is set.
 *
 * @param report hears of each value that can't be used
 * @param seen hears of each variable that a template has used
 */
export function valuesOf({
  host,
  vars,
  report,
  seen,
}: {
  host: string;
  vars: Variables;
  report: (entry: NotCarried) => void;
  seen: (name: string) => void;
}): Values {
  const origin = (...names: string[]) => names.map((name) => vars.get(name)).find((found) => found !== undefined);
  const refuse = (variable: Variable, reason: string) => {
    report({ file: variable.file, line: variable.line, text: variable.text, reason });
  };
  const fill = (variable: Variable, raw: string): string | undefined => {
    const filled = fillTemplate({ text: raw, host, vars, seen });
    if (filled === undefined) {
      refuse(variable, 'is a template that only Ansible can work out: write the value into the runbook');
    }
    return filled;
  };
  const text = (...names: string[]): string | undefined => {
    const variable = origin(...names);
    if (!variable || variable.value === null || variable.value === '') return undefined;
    const { value } = variable;
    if (typeof value === 'string') return fill(variable, value);
    if (typeof value === 'number' || typeof value === 'boolean') return String(value);
    refuse(variable, 'is no single value');
    return undefined;
  };
  return {
    origin,
    text,
    int: (...names) => {
      const value = text(...names);
      const variable = origin(...names);
      if (value === undefined || !variable) return undefined;
      if (/^\d{1,9}$/.test(value)) return Number(value);
      refuse(variable, 'is no whole number');
      return undefined;
    },
    truth: (...names) => /^(?:true|yes|on|1|y|t)$/i.test(text(...names) ?? ''),
    list: (...names) => {
      const variable = origin(...names);
      if (!variable || !Array.isArray(variable.value)) {
        const one = text(...names);
        return one === undefined ? [] : one.split(/\s*,\s*/).filter((item) => item !== '');
      }
      return variable.value.flatMap((item: unknown) => {
        if (typeof item !== 'string') {
          refuse(variable, 'has items that are not text');
          return [];
        }
        return fill(variable, item) ?? [];
      });
    },
  };
}

/** A text with `{{ name }}` filled in; undefined where it needs more of Jinja than that. */
function fillTemplate({
  text,
  host,
  vars,
  seen,
}: {
  text: string;
  host: string;
  vars: Variables;
  seen: (name: string) => void;
}): string | undefined {
  let filled = text;
  for (let round = 0; round < MAX_ROUNDS && filled.length < 4096; round++) {
    if (!/\{\{|\{%/.test(filled)) return filled;
    const names = [...filled.matchAll(/\{\{\s*([^{}]*?)\s*\}\}/g)].map((match) => match[1] ?? '');
    const found = new Map(names.map((name) => [name, builtIn({ name, host }) ?? vars.get(name)?.value]));
    names.forEach(seen);
    if (names.length === 0 || ![...found.values()].every((value) => ['string', 'number'].includes(typeof value))) {
      return undefined;
    }
    filled = filled.replace(/\{\{\s*([^{}]*?)\s*\}\}/g, (_, name: string) => String(found.get(name)));
  }
  return undefined;
}

function builtIn({ name, host }: { name: string; host: string }): string | undefined {
  if (name === 'inventory_hostname') return host;
  return name === 'inventory_hostname_short' ? host.split('.', 1)[0] : undefined;
}
