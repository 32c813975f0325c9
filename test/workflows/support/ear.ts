/** Hears what a run tells, as a webhook of the runbook would. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Notice } from '../../../activities/notify';

export class Ear {
  /** In the order in which they came. */
  readonly heard: Notice[] = [];
  private hangs: boolean;
  private readonly unanswered: ServerResponse[] = [];
  private readonly server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const notice = JSON.parse(Buffer.concat(chunks).toString()) as Notice;
      this.heard.push(notice);
      this.options.hears?.(notice);
      if (this.hangs) this.unanswered.push(response);
      else response.end();
    });
  });

  /** @param options.hangs takes every notice and never answers; `hears` is told of each */
  constructor(private readonly options: { hangs?: boolean; hears?: (notice: Notice) => void } = {}) {
    this.hangs = options.hangs === true;
  }

  /** What a group's `notify` needs to tell this ear of these events. */
  async notify(on: Notice['event'][]): Promise<{ webhook: string; on: Notice['event'][] }[]> {
    if (!this.server.listening) await once(this.server.listen(0, '127.0.0.1'), 'listening');
    const { port } = this.server.address() as AddressInfo;
    return [{ webhook: `http://127.0.0.1:${port}/hear`, on }];
  }

  /** Answers whoever waits, and everybody from now on. */
  answer(): void {
    this.hangs = false;
    for (const response of this.unanswered.splice(0)) response.end();
  }

  /** Hangs up on whoever waits for an answer. */
  close(): void {
    for (const response of this.unanswered) response.destroy();
    this.server.close();
  }
}
