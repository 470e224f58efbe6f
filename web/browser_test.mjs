// Uses the page as a person does and prints what was seen as one JSON document:
//   node browser_test.mjs SCENARIO URL [FILE]
// tests/workbench_test.py starts the workbench, runs this, and checks what it printed.
import { chromium } from 'playwright-core';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [scenario, url, file] = process.argv.slice(2);
const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const profile = await mkdtemp(join(tmpdir(), 'workbench-'));
const context = await chromium.launchPersistentContext(profile, { executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags, viewport: { width: 1380, height: 860 } });
const page = context.pages()[0] ?? await context.newPage();
const seen = { problems: [], foreign: [] };
page.on('console', message => { if (['error', 'warning'].includes(message.type())) seen.problems.push(message.text()); });
page.on('pageerror', error => seen.problems.push(error.message));
const own = new URL(url).origin;
page.on('request', request => { if (!request.url().startsWith(own) && !/^(data|blob):/.test(request.url())) seen.foreign.push(request.url()); });

const drawn = () => page.waitForFunction(() => performance.getEntriesByName('graph-drawn').length > 0, null, { timeout: 60000 });
const measured = () => page.waitForFunction(() => performance.getEntriesByName('measured').length > 0, null, { timeout: 60000 });
const picture = () => page.evaluate(() => { const { nodes, edges } = window.athanorGraph.picture; return { nodes: nodes.length, edges: edges.length, labels: edges.map(e => e.label), titles: nodes.filter(n => n.step >= 0).map(n => n.title), loose: nodes.filter(n => n.kind !== 'input' && !n.before.length).map(n => n.title) }; });
const quantile = (values, share) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))];
/** How many colours the canvas shows: a canvas on which nothing was drawn has one. */
const colours = () => page.evaluate(() => {
  const canvas = document.getElementById('graph'), { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height), set = new Set();
  for (let i = 0; i < data.length; i += 4 * 37) set.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
  return set.size;
});

async function tour() {
  await drawn();
  seen.paint_ms = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0].startTime);
  seen.drawn_ms = await page.evaluate(() => performance.getEntriesByName('graph-drawn')[0].startTime);
  seen.address = page.url();
  await measured();
  seen.run = await picture();
  seen.colours = await colours();
  seen.facts = await page.innerText('#facts');
  // Search, then the panel of what was found.
  await page.keyboard.press('/');
  await page.keyboard.type('res_b');
  seen.hits = await page.innerText('#hits');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#panel:not([hidden])');
  seen.panel = await page.innerText('#panel');
  seen.chosen = await page.innerText('#panel .taken code');
  seen.refused = await page.locator('#panel .refused').allInnerTexts();
  // The keyboard follows the edges.
  await page.focus('#graph');
  await page.keyboard.press('ArrowDown');
  seen.below = await page.innerText('#panel h2');
  await page.keyboard.press('Escape');
  seen.closed = await page.locator('#panel').isHidden();
  // A click in the middle of a node selects it.
  await page.waitForTimeout(600);  // the view still flies
  const [x, y] = await page.evaluate(() => { const g = window.athanorGraph, [k, tx, ty] = g.view, n = g.picture.nodes[1], box = document.getElementById('graph').getBoundingClientRect(); return [box.left + n.x * k + tx, box.top + n.y * k + ty]; });
  await page.mouse.click(x, y);
  seen.clicked = await page.innerText('#panel h2');
  for (const form of ['optimized', 'read']) {
    await page.click(`[data-form=${form}]`);
    await page.waitForFunction(f => window.athanorGraph.picture.form === f, form);
    seen[form] = await picture();
  }
  seen.command_read = await page.innerText('#command');
  await page.selectOption('#colour', 'change');
  await page.waitForFunction(() => window.athanorGraph.picture.nodes.some(n => n.fate === 'gone'));
  seen.fates = await page.evaluate(() => window.athanorGraph.picture.nodes.map(n => [n.op, n.fate]));
  // The other views.
  await page.click('#tab-layers');
  await page.waitForSelector('.steps tbody tr');
  seen.rows = await page.locator('.steps tbody tr').count();
  seen.sorted = await page.locator('.steps tbody tr').evaluateAll(rows => rows.map(r => r.querySelector('.took span').textContent));
  seen.command_layers = await page.innerText('#command');
  await page.locator('.steps tbody tr').first().press('Enter');
  await page.waitForSelector('#panel:not([hidden])');
  seen.from_layers = await page.innerText('#panel h3');
  await page.click('#tab-passes');
  await page.waitForSelector('.ops tbody tr');
  seen.gone_ops = await page.locator('.ops tr.gone td:first-child').allInnerTexts();
  await page.click('#tab-try');
  await page.setInputFiles('#file', file);
  await page.waitForSelector('.answer .first th');
  seen.answer = await page.innerText('.answer .first th');
  seen.command_try = await page.innerText('#command');
  await page.click('#random');
  await page.waitForFunction(() => document.querySelector('.answer')?.textContent.includes('random'));
  // Without the token in the address the cookie is enough.
  await page.goto(own + '/#graph');
  await page.reload();
  await drawn();
  seen.again = (await picture()).nodes;
}

async function quantized() {
  await drawn();
  await page.click('#tab-quantized');
  await page.waitForSelector('#quantized-cost');
  await page.waitForFunction(() => !document.querySelector('.pareto') || window.athanorPareto);
  const rows = kind => page.locator(`table.${kind} tbody tr`).evaluateAll(list => list.map(row => [...row.cells].map(cell => cell.innerText.trim())));
  for (const kind of ['costs', 'errors', 'corrections', 'ranked', 'dead']) seen[kind] = await rows(kind);
  seen.in_float = await rows('in-float');
  seen.drawn = await page.locator('.distributions figure').evaluateAll(list => list.map(one => [one.querySelector('figcaption').textContent, one.querySelectorAll('rect').length, one.querySelectorAll('line').length]));
  seen.pareto = await page.evaluate(() => { const chart = window.athanorPareto; return chart ? [1, 2].map(i => chart.data[0].map((x, at) => [x, chart.data[i][at]]).filter(point => point[1] !== null)) : []; });
  seen.command = await page.innerText('#command');
  if (file) {  // a picture of all of it, for a person
    await page.setViewportSize({ width: 1380, height: 2600 });
    await page.waitForTimeout(300);
    await page.screenshot({ path: file });
  }
  await page.locator('table.errors th').nth(2).locator('button').click();
  seen.best_first = (await rows('errors'))[0][2];
}

/** Pans for about three seconds at three zooms; times between frames. */
async function pan() {
  await drawn();
  seen.drawn_ms = await page.evaluate(() => performance.getEntriesByName('graph-drawn')[0].startTime);
  await measured();
  await page.click('[data-form=read]');
  await page.waitForFunction(() => window.athanorGraph.picture.form === 'read', null, { timeout: 60000 });
  seen.picture = await picture();
  seen.pans = [];
  for (const zoom of ['start', 'all', 'near']) {
    if (zoom === 'all') await page.click('[aria-label="show the whole graph"]');
    if (zoom === 'near') await page.evaluate(() => { const g = window.athanorGraph; g.zoom(1 / g.view[0]); });
    await page.waitForTimeout(500);
    // The page moves itself, frame by frame: a driver that sends moves over a socket would be what is measured.
    await page.evaluate(() => new Promise(done => {
      const graph = window.athanorGraph;
      let i = 0;
      graph.frames.length = 0;
      const step = () => {
        if (++i > 180) return done();
        graph.pan(5 * Math.sin(i / 9), i % 90 < 45 ? -9 : 9);
        return requestAnimationFrame(step);
      };
      requestAnimationFrame(step);
    }));
    const frames = await page.evaluate(() => [...window.athanorGraph.frames]);
    seen.pans.push({ zoom, frames: frames.length, median_ms: quantile(frames, 0.5), p95_ms: quantile(frames, 0.95), worst_ms: Math.max(...frames) });
  }
}

try {
  await page.goto(url);
  await { tour, pan, quantized }[scenario]();
  console.log(JSON.stringify(seen));
} finally {
  await context.close();
  await rm(profile, { recursive: true, force: true });
}
