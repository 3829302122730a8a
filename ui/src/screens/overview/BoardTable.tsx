// The board as a table: the same facts for a reader who listens to the page.
import type { Account } from "../../api/types.ts";
import { hindrances, shownStanding, standingDetail, standingWord } from "../../words/standings.ts";
import { until } from "../../words/times.ts";
import { inTrackOrder, limiting, used, windowTitle } from "../../words/windows.ts";

export function BoardTable({ accounts, now }: { accounts: Account[]; now: number }) {
  return (
    <div className="sr-only">
      <table>
        <caption>Accounts with their standing and usage windows</caption>
        <thead>
          <tr><th scope="col">Account</th><th scope="col">Standing</th><th scope="col">Windows</th><th scope="col">Running</th></tr>
        </thead>
        <tbody>
          {accounts.map((account) => ({ ...account, shown: shownStanding(account), more: hindrances(account, now) })).map(({ id, name, shown, more, windows, in_flight }) => (
            <tr key={id}>
              <th scope="row">{name}</th>
              <td>{[standingWord[shown.state], standingDetail(shown, now), shown.reason, ...more].filter(Boolean).join(", ")}</td>
              <td>
                {inTrackOrder(limiting(windows))
                  .map((window) => `${windowTitle(window)}: ${used(window)}${window.resets_at ? `, resets ${until(window.resets_at, now)}` : ""}`)
                  .join("; ") || "No limit known"}
              </td>
              <td>{in_flight}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
