// Checks docker-compose.yml, and what it stands on, with no Docker engine: by `docker compose config`
// where there is one, else by the library that Docker Compose reads its files with.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';

const composeLibrary = 'github.com/compose-spec/compose-go/v2/cmd@v2.16.2';
const longestMs = 300_000; // its first build takes half a minute
const composeFile = 'docker-compose.yml';
const serverSettings = 'config/temporal-dynamic-config.yaml';
const configurations = ['config/demo.yaml', 'config/compose.yaml'];

const root = resolve(import.meta.dirname, '..');
const read = (file) => readFileSync(join(root, file), 'utf8');
const exists = (file) => existsSync(join(root, file));
const problems = new Set();
const report = (problem) => problems.add(problem);

if (!exists('dist/cli.js')) {
  process.stderr.write('There is no build to check with: npm run build\n');
  process.exit(1);
}
// By a computed path: what is built may not be there while the sources are checked.
const { serverArguments } = await import(join(root, 'dist/temporal/server-command.js'));

const run = (program, args, env, cwd = root) =>
  execFileSync(program, args, {
    cwd,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: longestMs,
  });
const works = (program, ...args) => {
  try {
    run(program, args, process.env);
    return true;
  } catch {
    return false;
  }
};
const reasonOf = (error) => (error.stderr || error.message).trim();

const asJson = ['--no-path-resolution', '--format', 'json'];
const findReader = () => {
  if (works('docker', 'compose', 'version'))
    return { name: 'docker compose', program: 'docker', args: ['compose', 'config', ...asJson] };
  if (works('go', 'version'))
    return { name: 'compose-go', program: 'go', args: ['run', composeLibrary, ...asJson] };
  return undefined;
};

/** The project as Docker Compose understands it in a fresh clone; undefined where it does not. */
const readProject = ({ name, program, args }, env) => {
  // By itself, so that no .env and no override of this folder is read with it.
  const directory = mkdtempSync(join(tmpdir(), 'distributary-compose-'));
  try {
    copyFileSync(join(root, composeFile), join(directory, composeFile));
    return JSON.parse(run(program, args, env, directory));
  } catch (error) {
    report(`${composeFile} is not accepted by ${name}:\n${reasonOf(error)}`);
    return undefined;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
};

/** What would be found missing only once the containers start. */
const checkReferences = ({ services, networks = {}, volumes = {} }) => {
  for (const [name, service] of Object.entries(services)) {
    const at = `${composeFile}: services.${name}`;
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      if (services[other] === undefined) report(`${at} depends on ${other}, which there is not`);
      else if (condition === 'service_healthy' && services[other].healthcheck === undefined)
        report(`${at} waits for the health of ${other}, which has no health check`);
    }
    for (const network of Object.keys(service.networks ?? {})) {
      if (networks[network] === undefined) report(`${at}: there is no network ${network}`);
    }
    for (const { type, source } of service.volumes ?? []) {
      if (type === 'volume' && !(source in volumes)) report(`${at}: there is no volume ${source}`);
      if (type === 'bind' && !exists(source)) report(`${at} mounts ${source}, which is missing`);
    }
  }
};

/** What the Dockerfile copies has to exist, and to be let through by .dockerignore. */
const checkCopies = () => {
  const letThrough = read('.dockerignore').split('\n');
  for (const [, files] of read('Dockerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm)) {
    for (const file of files.split(' ')) {
      if (!exists(file)) report(`The Dockerfile copies ${file}, which is missing`);
      if (!letThrough.includes(`!${file}`))
        report(`.dockerignore keeps ${file}, which the Dockerfile copies`);
    }
  }
};

/** The server in the container and the embedded one get the same settings. */
const checkServerSettings = () => {
  const mounted = Object.entries(parse(read(serverSettings))).map(
    ([key, [{ value }]]) => `${key}=${JSON.stringify(value)}`,
  );
  const args = serverArguments({}, { port: 0 });
  const embedded = args.filter((_, at) => args[at - 1] === '--dynamic-config-value');
  for (const setting of new Set([...mounted, ...embedded])) {
    if (!mounted.includes(setting)) report(`${serverSettings} lacks ${setting}`);
    if (!embedded.includes(setting)) report(`src/temporal/server-command.ts lacks ${setting}`);
  }
};

// Its settings are all commented out: `#NAME=value`.
const examples = Object.fromEntries(
  [...read('.env.example').matchAll(/^#(\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
);
const filledIn = [composeFile, ...configurations].flatMap((file) =>
  [...read(file).matchAll(/\$\{(\w+)(:-)?/g)].map(([, name, hasDefault]) => {
    if (!(name in examples)) report(`.env.example does not tell of ${name}, which ${file} needs`);
    if (!hasDefault) report(`${file} has no default for ${name}, which a fresh clone has not set`);
    return name;
  }),
);
const ours = new Set([...filledIn, ...Object.keys(examples)]);
const bare = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !ours.has(name) && !name.startsWith('COMPOSE_')),
);

checkCopies();
checkServerSettings();
const reader = findReader();
const project = reader && readProject(reader, bare);
if (reader === undefined)
  report(`There is no Docker Compose and no Go to read ${composeFile} with`);
if (project !== undefined) checkReferences(project);
for (const [what, env] of [
  ['in a fresh clone', bare],
  ['with all of .env.example', { ...bare, ...examples }],
]) {
  for (const file of configurations) {
    try {
      run(process.execPath, ['dist/cli.js', 'check', '--config', file], env);
    } catch (error) {
      report(`${file} is not accepted ${what}:\n${reasonOf(error)}`);
    }
  }
}

if (problems.size > 0) {
  process.stderr.write(`${[...problems].join('\n')}\n`);
  process.exit(1);
}
process.stdout.write(`In order: ${composeFile} (read by ${reader.name}), Dockerfile, config/.\n`);
