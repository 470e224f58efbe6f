// Makes the bundle that is put into the program: node build.mjs [OUT]. The same sources give the same bytes.
import { build } from 'esbuild';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(root, 'dist');
const bundled = ['@dagrejs/dagre', '@dagrejs/graphlib', 'uplot'];

await mkdir(out, { recursive: true });
const common = { bundle: true, minify: true, target: 'es2022', charset: 'utf8', legalComments: 'none', logLevel: 'warning', absWorkingDir: root };
await build({ ...common, entryPoints: { app: 'src/main.ts' }, format: 'esm', outdir: out });
await build({ ...common, entryPoints: { layout: 'src/layout.ts' }, format: 'iife', outdir: out });
const css = await readFile(join(root, 'node_modules/uplot/dist/uPlot.min.css'), 'utf8') + await readFile(join(root, 'src/style.css'), 'utf8');
await build({ ...common, stdin: { contents: css, loader: 'css' }, outfile: join(out, 'app.css') });
await writeFile(join(out, 'index.html'), await readFile(join(root, 'src/index.html')));

let licences = 'The page of the workbench contains these libraries.\n';
for (const name of bundled) {
  const folder = join(root, 'node_modules', name), about = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  licences += `\n${'-'.repeat(80)}\n${name} ${about.version}, ${about.license}\n\n${(await readFile(join(folder, 'LICENSE'), 'utf8')).trim()}\n`;
}
await writeFile(join(out, 'LICENSES.txt'), licences);
