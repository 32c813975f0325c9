/** A page of plain blocks, as Markdown or as HTML. What stands in it may come from a hostile host: nothing of it leaves its block (S29). */
import { printable } from './output';

export type Block =
  | { kind: 'title' | 'heading' | 'text'; text: string }
  | { kind: 'list' | 'steps'; items: Item[] }
  | { kind: 'table'; rows: string[][] }
  | { kind: 'code'; text: string };
/** A line, with the commands that belong to it. */
export interface Item {
  text: string;
  code?: string[];
}

/** The blocks as Markdown. */
export function markdownPage(blocks: readonly Block[]): string {
  return `${blocks.map(inMarkdown).join('\n\n')}\n`;
}

/** The blocks as one HTML file that prints well and asks nothing of any network. */
export function htmlPage({ title, blocks }: { title: string; blocks: readonly Block[] }): string {
  const style =
    'body{font:11pt/1.4 serif;margin:2em;max-width:50em}code,pre{font:9pt/1.3 monospace}pre{white-space:pre-wrap;border:1px solid #999;padding:.5em}' +
    'table{border-collapse:collapse}td,th{border:1px solid #999;padding:.2em .5em;text-align:left}h2{break-after:avoid}pre,table{break-inside:avoid}';
  return [
    '<!doctype html>',
    `<html lang="en"><head><meta charset="utf-8"><title>${escaped(title)}</title><style>${style}</style></head><body>`,
    ...blocks.map(inHtml),
    '</body></html>',
    '',
  ].join('\n');
}

function inMarkdown(block: Block): string {
  switch (block.kind) {
    case 'title':
      return `# ${plain(block.text)}`;
    case 'heading':
      return `## ${plain(block.text)}`;
    case 'text':
      return plain(block.text);
    case 'code':
      return fenced(block.text);
    case 'list':
      return block.items.map(({ text }) => `- ${plain(text)}`).join('\n');
    case 'steps':
      return block.items.map(stepInMarkdown).join('\n');
    case 'table': {
      const [head = [], ...rows] = block.rows.map(
        (row) => `| ${row.map((each) => plain(each).replaceAll('|', '\\|')).join(' | ')} |`,
      );
      return [head, `|${(block.rows[0] ?? []).map(() => '---|').join('')}`, ...rows].join('\n');
    }
  }
}

function stepInMarkdown({ text, code = [] }: Item, at: number): string {
  const lines = [
    `${at + 1}. ${plain(text)}`,
    ...(code.length === 0 ? [] : ['', fenced(code.join('\n')).replace(/^/gm, '   '), '']),
  ];
  return lines.join('\n');
}

/** With a fence longer than any in the text, which else would end it. */
function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return [fence, ...text.split('\n').map(printable), fence].join('\n');
}

function inHtml(block: Block): string {
  switch (block.kind) {
    case 'title':
      return `<h1>${escaped(block.text)}</h1>`;
    case 'heading':
      return `<h2>${escaped(block.text)}</h2>`;
    case 'text':
      return `<p>${worded(block.text)}</p>`;
    case 'code':
      return pre(block.text);
    case 'list':
      return `<ul>${block.items.map(({ text }) => `<li>${worded(text)}</li>`).join('')}</ul>`;
    case 'steps':
      return `<ol>${block.items.map(({ text, code }) => `<li>${worded(text)}${code === undefined ? '' : pre(code.join('\n'))}</li>`).join('')}</ol>`;
    case 'table':
      return `<table>${block.rows.map((row, at) => `<tr>${row.map((each) => (at === 0 ? `<th>${escaped(each)}</th>` : `<td>${escaped(each)}</td>`)).join('')}</tr>`).join('')}</table>`;
  }
}

function pre(text: string): string {
  return `<pre>${text.split('\n').map(escaped).join('\n')}</pre>`;
}

/** Words between backticks as code. */
function worded(text: string): string {
  return escaped(text).replace(/`([^`]+)`/g, '<code>$1</code>');
}

function escaped(text: string): string {
  return printable(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** One line; hosts and stores may be hostile (S29). */
function plain(text: string): string {
  return printable(text).replaceAll('<', '&lt;');
}
