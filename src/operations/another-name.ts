import { InvalidInputError } from '../errors.ts'

/**
 * For a file whose cluster is not the one that was named beside it.
 * @param named how it was named.
 */
export const anotherName = (
  file: string,
  declared: string,
  given: string,
  named = '--name or HOLDFAST_CLUSTER says',
): InvalidInputError =>
  new InvalidInputError(
    `${file} declares ${declared}, and ${named} ${given}`,
    [],
    'Leave that out, or give the same name. Nothing was changed.',
  )
