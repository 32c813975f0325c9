/** What a part of the hostkit calls: a reader of the plain shell that it is written in, enough to tell commands from all other words. */
import { readFileSync } from 'node:fs';
import * as path from 'node:path';

const HOSTKIT = path.join(__dirname, '../../../hostkit');

/** The functions of some files, each with the first words of all commands in it. */
export type Functions = ReadonlyMap<string, readonly string[]>;

const RESERVED = new Set([
  'if',
  'then',
  'else',
  'elif',
  'fi',
  'do',
  'done',
  'while',
  'until',
  '!',
  '{',
  '}',
  'esac',
  'in',
]);

export function hostkitFile(name: string): string {
  return readFileSync(path.join(HOSTKIT, name), 'utf8');
}

/** The functions of a file of the rescue system, and of those that it reads. */
export function functionsOf(name: string, seen = new Set<string>()): Map<string, readonly string[]> {
  if (seen.has(name)) return new Map();
  seen.add(name);
  const text = hostkitFile(name);
  const read = [...text.matchAll(/^\. "\$RESURGO_LIB\/(lib\/[a-z-]+\.sh)"$/gm)].flatMap(([, file = '']) => [
    ...functionsOf(exists(`rescue/${file}`) ? `rescue/${file}` : file, seen),
  ]);
  const own = [...text.matchAll(/^(\w+)\(\) \{(?:\n([\s\S]*?)\n\}|([^\n]*)\})$/gm)].map(
    ([, each = '', long, short]): [string, readonly string[]] => [each, commands(long ?? short ?? '')],
  );
  return new Map([...read, ...own]);
}

function exists(name: string): boolean {
  try {
    hostkitFile(name);
    return true;
  } catch {
    return false;
  }
}

/** Commands that are no functions, of all that can be reached from one; functions named in `cut` are not gone into. */
export function reached({
  functions,
  from,
  cut = [],
}: {
  functions: Functions;
  from: string;
  cut?: readonly string[];
}): string[] {
  const seen = new Set<string>();
  const found = new Set<string>();
  const go = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const each of functions.get(name) ?? []) {
      if (functions.has(each)) {
        if (!cut.includes(each)) go(each);
      } else found.add(each);
    }
  };
  go(from);
  return [...found].sort();
}

/** The first words of all commands in a text, those too that another command runs (`timeout 10 X`, `nsenter … X`). */
export function commands(text: string): string[] {
  return new Reader(text).all();
}

class Reader {
  private at = 0;
  private words: string[] = [];
  private word = '';
  private started = false;
  private isTarget = false;
  private cases = 0;
  private inPattern = false;
  private readonly heredocs: string[] = [];
  private readonly found: string[] = [];

  constructor(private readonly text: string) {}

  all(): string[] {
    this.until('');
    return this.found;
  }

  /** Reads to an unmatched closing character, or the end. */
  private until(close: string): void {
    while (this.at < this.text.length) {
      const char = this.text[this.at] ?? '';
      if (char === close && !this.inPattern) break;
      this.at += 1;
      this.one(char);
    }
    this.endCommand();
    this.at += 1;
  }

  private one(char: string): void {
    switch (char) {
      case '\\':
        if (this.text[this.at] !== '\n') this.add('_');
        this.at += 1;
        return;
      case ' ':
      case '\t':
        this.endWord();
        return;
      case '\n':
        this.endCommand();
        for (const end of this.heredocs.splice(0)) {
          const found = new RegExp(`^${end}$`, 'm').exec(this.text.slice(this.at));
          this.at += (found?.index ?? 0) + end.length;
        }
        return;
      case ';':
        this.endCommand();
        if (this.text[this.at] === ';') {
          this.at += 1;
          this.inPattern = this.cases > 0;
        }
        return;
      case '&':
      case '|':
      case '(':
        this.endCommand();
        return;
      case ')':
        this.word = '';
        this.words = [];
        this.started = false;
        this.inPattern = false;
        return;
      case "'":
        this.at = this.text.indexOf("'", this.at) + 1;
        this.add('_');
        return;
      case '"':
        this.quoted();
        return;
      case '$':
        this.dollar();
        return;
      case '#':
        if (this.started) this.add(char);
        else this.at = this.text.indexOf('\n', this.at) < 0 ? this.text.length : this.text.indexOf('\n', this.at);
        return;
      case '<':
      case '>':
        this.redirection();
        return;
      default:
        this.add(char);
    }
  }

  private quoted(): void {
    this.add('"');
    for (; this.text[this.at] !== '"' && this.at < this.text.length;) {
      const char = this.text[this.at] ?? '';
      this.at += 1;
      if (char === '\\') this.at += 1;
      else if (char === '$') this.dollar();
    }
    this.at += 1;
  }

  private dollar(): void {
    this.add('$');
    const rest = this.text.slice(this.at);
    if (rest.startsWith('((')) {
      this.at = this.text.indexOf('))', this.at) + 2;
    } else if (rest.startsWith('(')) {
      const inner = new Reader(this.text);
      inner.at = this.at + 1;
      inner.until(')');
      this.at = inner.at;
      this.found.push(...inner.found);
    } else if (rest.startsWith('{')) {
      // Quotes in it may hold a brace; none nests another.
      const [whole = '{'] = /^\{(?:"[^"]*"|'[^']*'|[^}])*\}/.exec(rest) ?? [];
      this.at += whole.length;
    }
  }

  private redirection(): void {
    if (/^\d+$/.test(this.word)) {
      this.word = '';
      this.started = false;
    }
    this.endWord();
    const [, end] = /^<([A-Z]+)/.exec(this.text.slice(this.at)) ?? [];
    if (end !== undefined) {
      this.heredocs.push(end);
      this.at += 1 + end.length;
      return;
    }
    while ('<>&'.includes(this.text[this.at] ?? ' ')) this.at += 1;
    this.isTarget = true;
  }

  private add(char: string): void {
    this.word += char;
    this.started = true;
  }

  private endWord(): void {
    if (!this.started) return;
    const { word } = this;
    this.word = '';
    this.started = false;
    if (this.inPattern) {
      if (word === 'esac') {
        this.inPattern = false;
        this.cases -= 1;
      }
      return;
    }
    if (this.isTarget) {
      this.isTarget = false;
      return;
    }
    if (this.words.length === 0 && RESERVED.has(word)) {
      if (word === 'esac') this.cases -= 1;
      return;
    }
    this.words.push(word);
    if (word === 'in' && this.words[0] === 'case') {
      this.words = [];
      this.cases += 1;
      this.inPattern = true;
    }
  }

  private endCommand(): void {
    this.endWord();
    this.isTarget = false;
    const words = this.words.splice(0);
    if (words[0] !== 'for') this.found.push(...called(words));
  }
}

/** Those that run what is behind them, with how many words of their own come before it. */
const WRAPPERS: Readonly<Record<string, number>> = {
  timeout: 1,
  nsenter: 0,
  new_outside: 0,
  make_run: 0,
  exec: 0,
  setsid: 0,
};

function called(words: readonly string[]): string[] {
  const at = words.findIndex((word) => !/^[A-Za-z_]\w*=/.test(word));
  const name = words[at];
  if (name === undefined) return [];
  // A command in a variable: what is behind it is run with it, or by it.
  if (name.startsWith('$')) return called(words.slice(at + 1));
  if (name.startsWith('"') || name.startsWith('_')) return /^_\w/.test(name) ? [name] : [];
  const own = WRAPPERS[name];
  if (own === undefined) return [name];
  const rest = words.slice(words[at + 1] === '-s' ? at + 3 : at + 1);
  const first = rest.findIndex((word) => !word.startsWith('-'));
  return [name, ...(first < 0 ? [] : called(rest.slice(first + own)))];
}
