// For `node --import`, in front of a published HTTP server: it listens on a free port of the loopback interface, whatever
// port and interface it asks for, and its URL is printed.
import { Server } from "node:net";

const listen = Server.prototype.listen;
Server.prototype.listen = function (...words) {
  const done = words.find((word) => typeof word === "function");
  return listen.call(this, 0, "127.0.0.1", () => {
    console.log(`listening on http://127.0.0.1:${this.address().port}/mcp`);
    done?.();
  });
};
