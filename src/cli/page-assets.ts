/** What the HTML report brings along, read from where this package and Chart.js are installed. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { packageRoot } from '../package-root.ts';
import type { Assets } from '../report/html/page.ts';

export function pageAssets(): Assets {
  // The UMD build is no export of the package; it lies beside its main file.
  const require = createRequire(import.meta.url);
  const chartJs = dirname(require.resolve('chart.js'));
  // Not compiled, so they are read from src/ by the compiled program, too.
  const own = join(packageRoot(), 'src', 'report', 'html');
  return {
    charts: readFileSync(join(chartJs, 'chart.umd.js'), 'utf8'),
    client: readFileSync(join(own, 'client.js'), 'utf8'),
    style: readFileSync(join(own, 'report.css'), 'utf8'),
  };
}
