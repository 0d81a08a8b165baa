-- error: A table has an unknown trigger
--
-- A trigger runs with every change of a row, with other rights if its function is SECURITY DEFINER, and its errors may
-- quote rows that the author of the statement cannot see. Known: the change log, the list of deletions and events, jobs
-- of webhook endpoints, the limits of a plan, the last owner of an organization, invitations, keys and endpoints that
-- end with their creator, what only verified accounts may set, former names, freed time to offer, limits of schedules,
-- closures, time off, holds and the waitlist, the lock before a link ends, and when rows last changed.

select
    format('%s trigger %I', t.tgrelid::regclass, t.tgname) as object,
    format(
        'calls %s%s',
        f.oid::regprocedure,
        case when f.prosecdef then format(', as %s', f.proowner::regrole) end
    ) as found,
    format('drop trigger %I on %s;', t.tgname, t.tgrelid::regclass) as fix
from pg_trigger as t
join pg_proc as f on f.oid = t.tgfoid
join pg_class as c on c.oid = t.tgrelid
where
    not t.tgisinternal
    and t.tgparentid = 0
    and t.tgrelid >= 16384
    and c.relpersistence <> 't'
    and (t.tgname, f.oid::regprocedure::text) not in (
        ('record_change', 'operations.record_change()'),
        ('end_handed_out_by_key', 'tenancy.end_handed_out_by_key()'),
        ('keep_handed_out_below_delete', 'tenancy.keep_handed_out_below()'),
        ('keep_handed_out_below_update', 'tenancy.keep_handed_out_below()'),
        ('sender_is_giver', 'tenancy.sender_is_giver()'),
        ('changer_is_maker', 'messaging.changer_is_maker()'),
        ('verified_only_insert', 'app.verified_only()'),
        ('verified_only_update', 'app.verified_only()'),
        ('keep_names', 'tenancy.keep_names()'),
        ('record_deletion', 'operations.record_deletion()'),
        ('add_turn', 'messaging.add_turn()'),
        ('record_event', 'messaging.record_event()'),
        ('record_event', 'messaging.record_endpoint_event()'),
        ('wake_endpoint', 'messaging.wake_endpoint()'),
        ('wake_endpoint_update', 'messaging.wake_endpoint()'),
        ('record_event', 'scheduling.record_appointment_event()'),
        ('record_event', 'scheduling.record_hold_event()'),
        ('record_event_expired', 'scheduling.record_hold_event()'),
        ('record_event', 'scheduling.record_waitlist_event()'),
        ('record_event_assigned_insert', 'work.record_assigned()'),
        ('record_event_assigned_update', 'work.record_assigned()'),
        ('keep_updated_at', 'app.keep_updated_at()'),
        ('touch', 'app.touch()'),
        ('touch_provider', 'scheduling.touch_provider()'),
        ('touch_linked', 'work.touch_linked()'),
        ('keep_an_owner_delete', 'tenancy.keep_an_owner()'),
        ('keep_an_owner_update', 'tenancy.keep_an_owner()'),
        ('keep_few', 'scheduling.keep_closures_few()'),
        ('keep_few', 'scheduling.keep_holds_few()'),
        ('keep_few_update', 'scheduling.keep_closures_few()'),
        ('keep_few_update', 'scheduling.keep_time_off_few()'),
        ('keep_few', 'scheduling.keep_time_off_few()'),
        ('keep_few', 'scheduling.keep_waiting_few()'),
        ('keep_short', 'scheduling.keep_schedules_short()'),
        ('lock_person', 'scheduling.lock_person()'),
        ('note_freed_delete', 'scheduling.note_freed()'),
        ('note_freed_update', 'scheduling.note_freed()'),
        ('note_freed_elsewhere_delete', 'scheduling.note_freed_elsewhere()'),
        ('note_freed_elsewhere_update', 'scheduling.note_freed_elsewhere()'),
        ('note_freed_write', 'scheduling.note_freed()'),
        ('keep_within_new_plan', 'tenancy.keep_within_new_plan()'),
        ('keep_within_plan_insert', 'tenancy.keep_within_plan()'),
        ('keep_within_plan_update', 'tenancy.keep_within_plan()')
    )
order by 1
