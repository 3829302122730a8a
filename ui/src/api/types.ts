// The generated shapes under the names that the screens use.
import type { components } from "./schema.d.ts";

type Schemas = components["schemas"];

export type Account = Schemas["AccountView"];
export type AccountChange = Schemas["AccountChange"];
export type Attempt = Schemas["AttemptView"];
export type Decision = Schemas["DecisionRecord"];
export type HeadgateEvent = Schemas["EventView"];
export type Budget = Schemas["BudgetView"];
export type ClientKey = Schemas["KeyView"];
export type KeyChange = Schemas["KeyChange"];
export type MintedKey = Schemas["MintedKey"];
export type NewAccount = Schemas["NewAccount"];
export type NewKey = Schemas["NewKey"];
export type Overview = Schemas["Overview"];
export type Pool = Schemas["PoolView"];
export type Problem = Schemas["Problem"];
export type Provider = Schemas["ProviderView"];
export type Request = Schemas["RequestView"];
export type RequestPage = Schemas["RequestPage"];
export type Scope = Schemas["Scope"];
export type Standing = Schemas["StandingView"];
export type Status = Schemas["Status"];
export type Today = Schemas["Today"];
export type Usage = Schemas["UsageView"];
export type UsageWindow = Schemas["WindowView"];
export type Ending = NonNullable<Request["ending"]>;
