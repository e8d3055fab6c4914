/** What an empty page teaches: the exact command that sends a first request through this proxy. */
import { useAbout, useReplicas } from "../api/queries";
import { curlFor } from "../lib/curl";
import { nounOf } from "../lib/window";
import { Command, Panel } from "../ui/Panel";
import { usePage } from "./usePage";

/** The panel in place of the charts when the window has no request. */
export function NoRequestsYet() {
  const { scope, address } = usePage();
  const about = useAbout().data;
  const replicas = useReplicas(scope).data?.replicas ?? [];
  const window = address.window.kind === "live" ? nounOf(address.window.range) : "this window";
  const model = replicas.flatMap((replica) => replica.models)[0];
  return (
    <Panel id="first-request" title={`No requests in ${window}`} size="wide">
      <div className="state state-wide">
        {about?.ready === false ? (
          <p>
            The ledger cannot be read yet. It is made when the first proxy starts:{" "}
            <code>streamgauge up --upstream http://HOST:8000</code>
          </p>
        ) : (
          <p>
            Send one through the proxy instead of straight to a replica, and it appears here within
            a second:
          </p>
        )}
        {about === undefined ? null : (
          <Command
            text={curlFor(about.proxy_url, model ?? null)}
            label="A command that sends a request"
          />
        )}
        <p>
          A client of OpenAI needs only its base address changed to{" "}
          <code>{about === undefined ? "the proxy's" : `${about.proxy_url}/v1`}</code>.
        </p>
      </div>
    </Panel>
  );
}
