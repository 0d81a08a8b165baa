-- How many holds may stand at once. Every one of them takes time, is looked at when slots are listed, and has to be removed
-- when it expires: without a bound one organization could keep the sweep of all others busy, and one customer the day of an
-- organization. What guests may hold is bounded by how often they may ask (V0034).

grant select (waitlist_entry_id, created_by) on scheduling.holds to appointd_gate;

grant create on schema scheduling to appointd_gate;
set local role appointd_gate;

-- As the gate: whoever holds time may not see the holds of others.
create function scheduling.keep_holds_few() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    customer constant uuid := case
        when current_setting('app.role', true) = 'customer' then nullif(current_setting('app.account_id', true), '')::uuid
    end;
    standing bigint;
begin
    if customer is not null then
        -- One after the other. The last lock of its transaction, so nothing waits in a circle.
        perform pg_advisory_xact_lock(hashtextextended(new.tenant_id::text || customer::text || 'holds', 0));
        select count(*) into standing
        from scheduling.holds as h
        where
            h.tenant_id = new.tenant_id and h.created_by = customer
            and h.expires_at > statement_timestamp() and h.waitlist_entry_id is null;
        if standing > 3 then
            raise exception 'too many holds' using errcode = 'check_violation', constraint = 'holds_too_many_of_customer';
        end if;
    end if;
    select count(*) into standing
    from scheduling.holds as h
    where h.tenant_id = new.tenant_id and h.expires_at > statement_timestamp() and h.waitlist_entry_id is null;
    -- Far from the bound nobody waits: fewer than 100 transactions hold time at once.
    if standing > 400 then
        perform pg_advisory_xact_lock(hashtextextended(new.tenant_id::text || 'holds', 0));
        select count(*) into standing
        from scheduling.holds as h
        where h.tenant_id = new.tenant_id and h.expires_at > statement_timestamp() and h.waitlist_entry_id is null;
        if standing > 500 then
            raise exception 'too many holds' using errcode = 'check_violation', constraint = 'holds_too_many';
        end if;
    end if;
    return null;
end
$$;

comment on function scheduling.keep_holds_few() is
    'Trigger, after a hold came in: refuses more than 500 of one organization and more than 3 of one customer that stand. Offers to the waitlist do not count.';
-- To make a trigger of it.
grant execute on function scheduling.keep_holds_few() to appointd_owner;
reset role;
revoke create on schema scheduling from appointd_gate;

create trigger keep_few after insert on scheduling.holds
for each row when (new.waitlist_entry_id is null) execute function scheduling.keep_holds_few();
