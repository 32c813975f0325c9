/** A host's variables as a runbook needs them: templates filled in, truth and numbers understood, the rest reported. */
import { isEncrypted, type NotCarried, type Variable, type Variables } from './inventory';

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
 * @param use hears of each variable that was looked up, and of those that its template needs
 */
export function valuesOf({
  host,
  vars,
  report,
  use,
}: {
  host: string;
  vars: Variables;
  report: (entry: NotCarried) => void;
  use: (variable: Variable) => void;
}): Values {
  const origin = (...names: string[]) => names.map((name) => vars.get(name)).find((found) => found !== undefined);
  const lookUp = (names: string[]) => {
    const variable = origin(...names);
    if (variable) use(variable);
    return variable;
  };
  const refuse = (variable: Variable, reason: string) => {
    const name = [...vars].find(([, other]) => other === variable)?.[0] ?? '';
    report({ file: variable.file, line: variable.line, text: variable.text, reason: `\`${name}\` ${reason}` });
  };
  const fill = (variable: Variable, raw: string): string | undefined => {
    if (isEncrypted(raw)) {
      refuse(variable, 'is encrypted by ansible-vault: the value is left out');
      return undefined;
    }
    const filled = fillTemplate({ text: raw, host, vars, use });
    if (filled === undefined) {
      refuse(variable, 'is a template that only Ansible can work out: write the value into the runbook');
    }
    return filled;
  };
  const text = (...names: string[]): string | undefined => {
    const variable = lookUp(names);
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
    truth: (...names) => {
      const value = text(...names);
      const variable = origin(...names);
      if (value === undefined || !variable || /^(?:false|no|off|0|n|f)$/i.test(value)) return false;
      if (/^(?:true|yes|on|1|y|t)$/i.test(value)) return true;
      refuse(variable, 'is neither true nor false: it counts as false');
      return false;
    },
    list: (...names) => {
      const variable = lookUp(names);
      if (!variable || !Array.isArray(variable.value)) {
        const one = text(...names);
        if (one === undefined || !variable) return [];
        if (!/^(?:\[.*\]|\(.*\)|\{.*\})$/s.test(one.trim())) return one.split(/\s*,\s*/).filter((item) => item !== '');
        refuse(variable, 'is a list or map written as text, which is not understood: the value is left out');
        return [];
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
  use,
}: {
  text: string;
  host: string;
  vars: Variables;
  use: (variable: Variable) => void;
}): string | undefined {
  let filled = text;
  const needed: Variable[] = [];
  for (let round = 0; round < MAX_ROUNDS && filled.length < 4096; round++) {
    if (!/\{\{|\{%/.test(filled)) {
      needed.forEach(use);
      return filled;
    }
    const names = [...filled.matchAll(/\{\{\s*([^{}]*?)\s*\}\}/g)].map((match) => match[1] ?? '');
    const found = new Map(names.map((name) => [name, builtIn({ name, host }) ?? vars.get(name)?.value]));
    if (names.length === 0 || ![...found.values()].every(canFill)) return undefined;
    needed.push(...names.flatMap((name) => vars.get(name) ?? []));
    filled = filled.replace(/\{\{\s*([^{}]*?)\s*\}\}/g, (_, name: string) => String(found.get(name)));
  }
  return undefined;
}

function canFill(value: unknown): boolean {
  return ['string', 'number'].includes(typeof value) && !isEncrypted(value);
}

function builtIn({ name, host }: { name: string; host: string }): string | undefined {
  if (name === 'inventory_hostname') return host;
  return name === 'inventory_hostname_short' ? host.split('.', 1)[0] : undefined;
}
