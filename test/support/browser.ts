import { accessSync, constants, createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, delimiter, join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** The first Chromium on the PATH. */
const findChromium = (): string | undefined =>
  (process.env['PATH'] ?? '')
    .split(delimiter)
    .flatMap((folder) => names.map((name) => join(folder, name)))
    .find((program) => {
      try {
        accessSync(program, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });

/** Why tests in a browser cannot run here, if so. In CI they have to. */
export const withoutChromium = (): string | undefined => {
  if (findChromium() !== undefined) return undefined;
  const message = `none of ${names.join(', ')} is on the PATH`;
  if (process.env['CI'] === 'true') throw new Error(`Tests need a browser, and ${message}`);
  return message;
};

/** Starts it without a window, in a profile of its own; it looks up loopback addresses alone. */
export const startChromium = (): Promise<Browser> =>
  chromium.launch({
    executablePath: findChromium()!,
    args: [
      '--no-sandbox', // Chromium refuses to run as root with one
      '--disable-gpu',
      '--disable-quic',
      '--disable-dev-shm-usage',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    ],
  });

/** A site whose only page is empty but for a script; an origin of its own, by its port. */
export interface Site {
  url: string;
  close: () => Promise<void>;
}

/** Serves the page, and at /scripts/ the files of a folder. */
export const startSite = async (scripts: string, first: string): Promise<Site> => {
  const page = `<!doctype html><title>Shop</title><script src="/scripts/${first}"></script>`;
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url!, 'http://site');
    if (pathname === '/') {
      response.writeHead(200, { 'content-type': 'text/html' }).end(page);
    } else if (pathname.startsWith('/scripts/')) {
      const file = createReadStream(join(scripts, basename(pathname)));
      file.on('error', () => response.writeHead(404).end());
      file.once('open', () => response.writeHead(200, { 'content-type': 'text/javascript' }));
      file.pipe(response);
    } else response.writeHead(404).end();
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
};
