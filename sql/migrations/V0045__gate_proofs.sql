-- Proofs: how guests and the scheduler, who have no session, prove that they may enter. A proof is a message
-- authentication code over what it is for, made and compared in the database alone. The key leaves it in no other form.

create table app.proof_key (
    only_one boolean not null default true,
    inner_pad bytea not null,
    outer_pad bytea not null,
    created_at timestamptz not null default now(),
    constraint proof_key_pkey primary key (only_one),
    constraint proof_key_only_one check (only_one),
    constraint proof_key_pads check (length(inner_pad) = 64 and length(outer_pad) = 64)
);

comment on table app.proof_key is
    'The key of proofs: one row, made by the migration. Only functions of the gate read it. A guest''s link has a '
    'proof, so links of before end if it is replaced.';
comment on column app.proof_key.only_one is 'Always true.';
comment on column app.proof_key.inner_pad is 'The key, combined with the inner padding of HMAC (RFC 2104).';
comment on column app.proof_key.outer_pad is 'The key, combined with the outer padding.';
comment on column app.proof_key.created_at is 'When it was made.';

alter table app.proof_key enable row level security;
alter table app.proof_key force row level security;
create policy gate_select on app.proof_key as permissive for select to appointd_gate using (true);
grant select on app.proof_key to appointd_gate;

-- Made by the owner, whom the policies hold as well; 64 bytes of which 61 are random (a UUID has 6 bits that are not).
do $$
declare
    key constant bytea :=
        uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
        || uuid_send(gen_random_uuid());
    inner_pad bytea := key;
    outer_pad bytea := key;
begin
    for at in 0..63 loop
        inner_pad := set_byte(inner_pad, at, get_byte(key, at) # 54);
        outer_pad := set_byte(outer_pad, at, get_byte(key, at) # 92);
    end loop;
    alter table app.proof_key no force row level security;
    insert into app.proof_key (inner_pad, outer_pad) values (inner_pad, outer_pad);
    alter table app.proof_key force row level security;
end
$$;

-- A function's owner must be able to create in its schema; the gate may only while this migration runs.
grant create on schema app to appointd_gate;
set local role appointd_gate;

-- The purpose has a length of its own, and the ids have 16 bytes each: no two proofs are of one message.
create function app.proof(purpose text, tenant uuid, subject uuid) returns bytea
language plpgsql stable
as $$
begin
    return (
        select substr(
            sha256(
                k.outer_pad
                || sha256(
                    k.inner_pad || sha256(convert_to(purpose, 'UTF8')) || uuid_send(tenant) || uuid_send(subject)
                )
            ),
            1, 16
        )
        from app.proof_key as k
    );
end
$$;

comment on function app.proof(text, uuid, uuid) is
    'HMAC-SHA256, of which the first 128 bits are used, over a purpose, an organization and what the proof is about; '
    'null if one of them is null. For functions of the gate.';

create function app.guest_proof(tenant uuid, appointment uuid) returns bytea
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    return app.proof('guest', tenant, appointment);
end
$$;

comment on function app.guest_proof(uuid, uuid) is
    'The proof for app.enter_guest: for what a guest is about to make, and for the link to it.';

create function app.scheduler_proof(tenant uuid) returns bytea
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    return app.proof('scheduler', tenant, tenant);
end
$$;

comment on function app.scheduler_proof(uuid) is
    'The proof for app.enter_scheduler: for the worker, which has the scheduler work in an organization.';

grant execute on function app.guest_proof(uuid, uuid) to appointd_door;
grant execute on function app.scheduler_proof(uuid) to appointd_worker;
reset role;
revoke create on schema app from appointd_gate;
