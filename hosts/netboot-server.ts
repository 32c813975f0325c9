/** Serves the rescue system to machines that start by network: two files and a few scripts by HTTP, and nothing else. */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { NetbootMedia } from './netboot-media';

/** A whole fleet starting at once is served; a flood of connections is not. */
const CONNECTIONS = 64;
/** A request has its head in this time, and a connection that says nothing for this long is let go, ms. */
const HEAD_MS = 10_000;
const IDLE_MS = 60_000;

export interface Served {
  method: string;
  /** As it was asked for; not printable as it is. */
  path: string;
  status: number;
  /** Of the body that went out whole; less where the connection broke. */
  bytes: number;
  /** Whether all of it went out. */
  whole: boolean;
  peer: string;
}

export interface NetbootServer {
  address: string;
  port: number;
  close: () => Promise<void>;
}

export interface NetbootServerOptions {
  media: NetbootMedia;
  scripts: ReadonlyMap<string, string>;
  address: string;
  /** 0 for any that is free. */
  port: number;
  onServed: (served: Served) => void;
}

/** Listens. Paths are looked up in a list, so none leads anywhere else. @throws when the address can't be had */
export async function serveNetboot(options: NetbootServerOptions): Promise<NetbootServer> {
  const { address, port } = options;
  const server = createServer(
    { headersTimeout: HEAD_MS, requestTimeout: HEAD_MS, maxHeaderSize: 8192 },
    (request, response) => {
      void answer({ request, response, options });
    },
  );
  server.maxConnections = CONNECTIONS;
  server.timeout = IDLE_MS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, resolve);
  });
  const bound = server.address();
  return {
    address,
    port: bound !== null && typeof bound === 'object' ? bound.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

interface Asked {
  request: IncomingMessage;
  response: ServerResponse;
  options: NetbootServerOptions;
}

async function answer({ request, response, options }: Asked): Promise<void> {
  const { media, scripts, onServed } = options;
  const { method = '', url = '' } = request;
  const name = url.replace(/^\/+/, '');
  const script = scripts.get(name);
  const file = media.files.get(name);
  const found = script !== undefined || file !== undefined;
  const asks = method === 'GET' || method === 'HEAD';
  const status = asks ? (found ? 200 : 404) : 405;
  const length = status !== 200 ? 0 : (file?.bytes ?? Buffer.byteLength(script ?? ''));
  const before = request.socket.bytesWritten;
  response.writeHead(status, {
    'Content-Length': length,
    'Content-Type': file === undefined ? 'text/plain; charset=utf-8' : 'application/octet-stream',
    ...(status === 405 ? { Allow: 'GET, HEAD' } : {}),
  });
  let whole = true;
  try {
    if (status !== 200 || method === 'HEAD') response.end();
    else if (file === undefined) response.end(script);
    else await pipeline(file.handle.createReadStream({ start: 0, end: file.bytes - 1, autoClose: false }), response);
  } catch {
    // The machine has gone, or the disk failed: either way it did not get all, which is what the log says.
    whole = false;
    response.destroy();
  }
  const bytes = whole ? (method === 'HEAD' ? 0 : length) : Math.min(length, request.socket.bytesWritten - before);
  onServed({ method, path: url, status, bytes, whole, peer: request.socket.remoteAddress ?? '' });
}
