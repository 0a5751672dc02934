import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Files in the order of their names: the end-to-end tests share one cluster, and the last one deletes it. */
export class InOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return [...files].sort((one, other) => one.moduleId.localeCompare(other.moduleId))
  }
}
