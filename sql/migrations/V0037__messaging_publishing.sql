-- What is published: the tables whose changes are events. Most are created, updated and deleted. Appointments, holds
-- and waitlist entries have a life, and their events are named after its steps.

call messaging.publish('tenancy.organizations', 'organization', events => 'update');
call messaging.publish('tenancy.settings', 'settings', events => 'update');
call messaging.publish('tenancy.branding', 'branding', events => 'update');
call messaging.publish('tenancy.subscriptions', 'subscription', events => 'update');
call messaging.publish('tenancy.members', 'member');
call messaging.publish('tenancy.invitations', 'invitation', 'staff', '{token_hash}');
call messaging.publish('crm.contacts', 'contact');
call messaging.publish('scheduling.services', 'service');
call messaging.publish('scheduling.providers', 'provider', leaves_out => '{kind}');
call messaging.publish('scheduling.schedules', 'schedule', events => 'insert or update');
call messaging.publish('scheduling.closures', 'closure');
call messaging.publish('scheduling.time_off', 'time_off');

-- A function's owner must be able to create in its schema; the gate may only while this migration runs.
grant create on schema scheduling to appointd_gate;
set local role appointd_gate;

create function scheduling.record_appointment_event() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    unsaid constant text[] := array['tenant_id', 'guest_key'];
    -- In the order of its life.
    life constant text[] := array['pending', 'confirmed', 'checked_in', 'in_progress', 'completed', 'no_show'];
    was constant jsonb := to_jsonb(old) - unsaid;
    becomes constant jsonb := to_jsonb(new) - unsaid;
    happened text;
begin
    if tg_op = 'INSERT' then
        happened := case when new.status = 'pending' then 'requested' else 'created' end;
    elsif was = becomes then
        return null;
    -- Moved: the status may change with it, when the new time is to be approved.
    elsif (new.starts_at, new.ends_at, new.provider_id) is distinct from (old.starts_at, old.ends_at, old.provider_id)
    then
        happened := 'rescheduled';
    elsif new.status = old.status then
        happened := 'updated';
    elsif array_position(life, new.status) < array_position(life, old.status) then
        happened := 'undone';
    else
        happened := case new.status when 'in_progress' then 'started' else new.status end;
    end if;
    perform messaging.emit(
        'appointment.' || happened, 'viewer', new.tenant_id, new.id, becomes, messaging.changes(was, becomes)
    );
    return null;
end
$$;

comment on function scheduling.record_appointment_event() is
    'Trigger, after an appointment was booked or changed: writes the event appointment.requested (to be confirmed), '
    'created, confirmed, declined, rescheduled, updated, cancelled, checked_in, started, completed, no_show or undone.';

create function scheduling.record_hold_event() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'INSERT' then
        perform messaging.emit(
            'hold.created', 'viewer', new.tenant_id, new.id, to_jsonb(new) - 'tenant_id', null
        );
    else
        perform messaging.emit(
            'hold.expired', 'viewer', old.tenant_id, old.id, to_jsonb(old) - 'tenant_id', null
        );
    end if;
    return null;
end
$$;

comment on function scheduling.record_hold_event() is
    'Trigger, after a hold was made, or an expired one deleted: writes the event hold.created or hold.expired. A hold '
    'that was confirmed is the hold_id of an appointment; one that was released is no event.';

create function scheduling.record_waitlist_event() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    unsaid constant text[] := array['tenant_id', 'guest_key'];
    was constant jsonb := to_jsonb(old) - unsaid;
    becomes constant jsonb := to_jsonb(new) - unsaid;
begin
    if tg_op = 'UPDATE' and was = becomes then
        return null;
    end if;
    perform messaging.emit(
        'waitlist.' || case
            when tg_op = 'INSERT' then 'joined'
            when new.status = old.status then 'updated'
            when new.status = 'booked' then 'accepted'
            when new.status in ('declined', 'expired') then 'passed_on'
            when new.status = 'waiting' then 'updated'
            -- offered, withdrawn
            else new.status
        end,
        'viewer', new.tenant_id, new.id, becomes, messaging.changes(was, becomes)
    );
    return null;
end
$$;

comment on function scheduling.record_waitlist_event() is
    'Trigger, after a waitlist entry was made or changed: writes the event waitlist.joined, offered, accepted, '
    'passed_on (the offer was declined or expired, and the time goes to the next entry), withdrawn or updated.';

-- The role that makes a trigger must be allowed to call its function.
grant execute on function
    scheduling.record_appointment_event(),
    scheduling.record_hold_event(),
    scheduling.record_waitlist_event()
to appointd_owner;
reset role;
revoke create on schema scheduling from appointd_gate;

create trigger record_event after insert or update on scheduling.appointments
for each row execute function scheduling.record_appointment_event();
create trigger record_event after insert on scheduling.holds
for each row execute function scheduling.record_hold_event();
create trigger record_event_expired after delete on scheduling.holds
for each row when (old.expires_at <= statement_timestamp()) execute function scheduling.record_hold_event();
create trigger record_event after insert or update on scheduling.waitlist_entries
for each row execute function scheduling.record_waitlist_event();
