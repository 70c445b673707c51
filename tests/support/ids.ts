import { v7 as uuidv7 } from "uuid";

/**
 * A new id like those of the service, for an event, a message, a notification or an audit row. It begins with the
 * present time, which may be faked: the service orders and purges these rows by their ids.
 */
export const newId = (): string => uuidv7({ msecs: Date.now() });
