import { leastGo } from '../constants.ts'

/** For a host that can neither download nor build. Commands in backquotes are printed as Holdfast was called. */
export const takeBundle =
  'Or take everything from a bundle that `holdfast assets bundle FILE` wrote on another machine: `holdfast assets fetch --bundle FILE`.'

/** @param sudo see `isUnderSudo`. */
export const installGo = (sudo: boolean): string =>
  [
    `Install Go ${leastGo} or newer.`,
    ...(sudo
      ? ['Under sudo a Go of your own may not be on the path: try `sudo env "PATH=$PATH" holdfast …`.']
      : []),
    takeBundle,
  ].join(' ')
