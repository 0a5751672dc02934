import { InvalidInputError } from '../errors.ts'

/**
 * For a file whose cluster is not the one that was named beside it.
 * @param edited the file is what an editor left of that cluster's declaration: there is nothing beside it to leave out.
 */
export const anotherName = (
  file: string,
  declared: string,
  given: string,
  edited = false,
): InvalidInputError =>
  new InvalidInputError(
    `${file} declares ${declared}, and ${edited ? 'what is edited is' : '--name or HOLDFAST_CLUSTER says'} ${given}`,
    [],
    edited ? nameStays : 'Leave that out, or give the same name. Nothing was changed.',
  )

export const nameStays = 'The name of a cluster cannot change. Nothing was changed.'
