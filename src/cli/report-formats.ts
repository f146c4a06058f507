/** What a Report can be printed as. Only the renderer that is asked for is loaded. */
import type { Bar } from '../model/bar.ts';
import type { Report } from '../model/report.ts';
import type { Style } from '../report/layout.ts';

export const reportFormats = ['text', 'json', 'sarif', 'junit', 'ktap', 'csv', 'ndjson'] as const;
export type ReportFormat = (typeof reportFormats)[number];

export async function formatReport(
  report: Report,
  format: ReportFormat,
  bar: Bar,
  style: Style,
): Promise<string> {
  switch (format) {
    case 'text':
      return (await import('../report/text.ts')).toText(report, style, bar);
    case 'json':
      return (await import('../report/json.ts')).toJson(report);
    case 'sarif': {
      const [{ toSarif }, { explainRule, ruleNames }] = await Promise.all([
        import('../report/sarif.ts'),
        import('../questions/explain.ts'),
      ]);
      return toSarif(report, ruleNames().map(explainRule), bar);
    }
    case 'junit':
      return (await import('../report/junit.ts')).toJunit(report, bar);
    case 'ktap':
      return (await import('../report/ktap.ts')).toKtap(report, bar);
    case 'csv':
      return (await import('../report/findings-table.ts')).toFindingsCsv(report);
    case 'ndjson':
      return (await import('../report/findings-table.ts')).toFindingsNdjson(report);
    default:
      return format satisfies never;
  }
}
