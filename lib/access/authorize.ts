import type { Action, Resource } from './action.ts'
import type { Principal } from './identity/principal.ts'

/** A host's own word on who may do what. Must not throw for a no. */
export type Authorize = (principal: Principal, action: Action, resource: Resource) => boolean | Promise<boolean>
