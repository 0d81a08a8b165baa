//! Faults of keys, indexes and columns.

use super::{Fault, fault};

pub const KEYS: &[Fault] = &[
    fault(
        "keys/without_tenant",
        "a primary key without the tenant",
        "alter table scheduling.closures drop constraint closures_pkey, add primary key (id)",
    ),
    fault(
        "keys/without_tenant",
        "a unique key without the tenant",
        "create unique index contacts_key on crm.contacts (id, last_name)",
    ),
    fault(
        "keys/without_tenant",
        "an e-mail address unique for all",
        "create unique index on tenancy.invitations (email)",
    ),
    fault(
        "keys/exclusion_operator",
        "a constraint that compares tenants by inequality",
        "alter table scheduling.closures add constraint odd exclude using gist (tenant_id with <>, id with =)",
    ),
    fault(
        "keys/foreign_key_without_tenant",
        "a foreign key to the id alone",
        "alter table scheduling.time_off drop constraint time_off_provider_fkey; create unique index on scheduling.providers (id); alter table scheduling.time_off add constraint time_off_provider_fkey foreign key (provider_id) references scheduling.providers (id) on delete cascade",
    ),
    fault(
        "keys/foreign_key_without_tenant",
        "a foreign key with its columns crossed",
        "create unique index on crm.contacts (id, tenant_id); alter table scheduling.appointments drop constraint appointments_contact_fkey; alter table scheduling.appointments add constraint appointments_contact_fkey foreign key (contact_id, tenant_id) references crm.contacts (id, tenant_id)",
    ),
    fault(
        "keys/set_null_tenant",
        "a foreign key that would take the tenant away",
        "alter table scheduling.providers drop constraint providers_account_fkey, add constraint providers_account_fkey foreign key (tenant_id, account_id) references tenancy.members (tenant_id, account_id) on delete set null",
    ),
    fault(
        "keys/no_tenant_index",
        "no index that begins with the tenant",
        "alter table tenancy.branding drop constraint branding_pkey",
    ),
    fault(
        "keys/not_valid",
        "a constraint that was not validated",
        "alter table crm.contacts add constraint odd check (length(last_name) > 0) not valid",
    ),
    fault(
        "keys/not_valid",
        "an index that is not valid",
        "update pg_index set indisvalid = false where indexrelid = 'scheduling.appointments_time_idx'::regclass",
    ),
    fault(
        "keys/foreign_key_without_index",
        "a foreign key without an index",
        "drop index scheduling.claims_hold_idx",
    ),
    fault(
        "keys/foreign_key_type",
        "a foreign key of another type",
        "create table crm.names (tenant_id uuid, name varchar(10)); create table crm.name_list (tenant_id uuid, name text, primary key (tenant_id, name)); alter table crm.names add foreign key (tenant_id, name) references crm.name_list",
    ),
    fault(
        "keys/duplicate_index",
        "the same index twice",
        "create index again on scheduling.appointments (tenant_id, starts_at, id)",
    ),
    fault(
        "keys/leaky_operator",
        "an index that policies keep from being used",
        "create index odd on scheduling.claims using gist (tenant_id, during)",
    ),
    fault(
        "keys/unused_index",
        "an index that is not read",
        "create index odd on tenancy.branding (primary_color); set enable_seqscan = off; set enable_bitmapscan = off; do $$ begin for i in 1..100001 loop perform from tenancy.branding where tenant_id = '00000000-0000-0000-0000-000000000000'; end loop; end $$",
    ),
    fault(
        "keys/policy_column_without_index",
        "a policy on a column without an index",
        "alter table identity.one_time_tokens drop constraint one_time_tokens_pkey",
    ),
    fault(
        "keys/counter",
        "a column that counts",
        "alter table crm.contacts add column number bigint generated always as identity",
    ),
    fault(
        "keys/counter",
        "a sequence that may be read",
        "create sequence crm.numbers; alter sequence crm.numbers owner to appointd_owner; grant usage on sequence crm.numbers to appointd_api; select nextval('crm.numbers')",
    ),
    fault(
        "keys/column_type",
        "a column of an enum",
        "create type crm.mood as enum ('good', 'bad'); alter type crm.mood owner to appointd_owner; alter table crm.contacts add column mood crm.mood",
    ),
    fault(
        "keys/double_booking",
        "no exclusion constraint",
        "alter table scheduling.claims drop constraint claims_no_overlap",
    ),
    fault(
        "keys/double_booking",
        "a weaker exclusion constraint",
        "alter table scheduling.claims drop constraint claims_no_overlap, add constraint claims_no_overlap exclude using gist (tenant_id with =, resource_id with =, during with &&, group_session_id with <>) where (appointment_id is null)",
    ),
    fault(
        "keys/double_booking",
        "no exclusion constraint for people",
        "alter table scheduling.shared_claims drop constraint shared_claims_no_overlap",
    ),
    fault(
        "keys/double_booking",
        "an exclusion constraint whose index is dead",
        "update pg_index set indisready = false, indislive = false where indexrelid = 'scheduling.claims_no_overlap'::regclass",
    ),
    fault("keys/double_booking", "seats that can be taken twice", "drop index scheduling.claims_seat_key"),
    fault(
        "",
        "an appointment may end before it starts",
        "alter table scheduling.claims drop constraint claims_time",
    ),
];
