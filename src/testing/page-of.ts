/** The HTML report of captures, as `modlife report` writes it. */
import { pageAssets } from '../cli/page-assets.ts';
import type { Dossier } from '../model/dossier.ts';
import { analyze } from '../pipeline/analyze.ts';
import { createDossier } from '../questions/dossier.ts';
import { toHtml } from '../report/html/page.ts';

export async function dossierOf(...paths: readonly string[]): Promise<Dossier> {
  const keeper = createDossier();
  return keeper.dossier(await analyze(paths, { onChange: keeper.change }), paths);
}

export function pageOf(dossier: Dossier): string {
  return toHtml(dossier, pageAssets());
}

/** The same with every name of a real trace replaced by what somebody would like to see run. */
export function hostile(dossier: Dossier, name: string, payload: string): Dossier {
  const quoted = JSON.stringify(payload).slice(1, -1);
  return JSON.parse(JSON.stringify(dossier).replaceAll(name, quoted)) as Dossier;
}

/** Ends every element there is, runs in every way there is, and turns the terminal and the line around. */
export const PAYLOAD =
  '\'"></code></script></style></title><script>hacked=1</script><img src=x onerror="hacked=1"><svg onload=hacked=1>\u001b[31m\u202e&lt;';
