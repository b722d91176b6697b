// node build.mjs VERSION PROTO OUT: one file of JavaScript with everything that the plugin needs. PROTO is the folder of the
// contract (plugins/proto), which is built in.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import protobuf from 'protobufjs';

const [version, protos, out] = process.argv.slice(2);
const here = path.dirname(fileURLToPath(import.meta.url));

const root = new protobuf.Root();
const read = (name) => protobuf.parse(readFileSync(path.join(protos, 'payrack', 'provider', 'v1', name + '.proto'), 'utf8'), root);
for (const name of ['google/protobuf/duration.proto', 'google/protobuf/timestamp.proto']) root.addJSON(protobuf.common.get(name).nested);
for (const name of ['call', 'info', 'answer', 'provider']) read(name);
root.resolveAll();
const contract = path.join(path.dirname(out), 'contract.json');
writeFileSync(contract, JSON.stringify(root.toJSON()));

await build({
  entryPoints: [path.join(here, 'src', 'main.js')],
  outfile: out,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  minify: true,
  define: { VERSION: JSON.stringify(version) },
  plugins: [{ name: 'contract', setup: (b) => b.onResolve({ filter: /contract\.json$/ }, () => ({ path: contract })) }],
  logLevel: 'warning',
});
