import type { DrillReport } from '../drills/index.ts'
import type { DrillOptions } from '../operations/drill.ts'
import type { Cli, CommonOptions } from './context.ts'
import { drillReportLines } from './drill-report.ts'
import { createLiveView } from './live/view.ts'
import { printData } from './print.ts'
import { whenMade } from './when-made.ts'

/** Runs the drill with its live view and prints what it found. */
export async function runKillMaster(
  cli: Cli,
  name: string,
  options: CommonOptions,
  drill: DrillOptions,
): Promise<DrillReport> {
  const { drillKillMaster } = await import('../operations/drill.ts')
  const view = createLiveView(cli.io, { title: `${name}: kill the ${drill.which}` })
  const report = await cli
    .operate(options, (operation) =>
      whenMade(operation, name, () => drillKillMaster(operation, name, drill, view)),
    )
    .finally(() => view.close())
  if (options.output === 'json' || options.output === 'yaml') printData(cli, report, options.output)
  else cli.io.out(`${drillReportLines(report, cli.colours).join('\n')}\n`)
  return report
}
