-- $1 id, $2 the rules (an object with all columns except those that the database sets)
insert into scheduling.services (
    id, name, description, duration_minutes, slot_step_minutes, slot_offset_minutes, buffer_before_minutes,
    buffer_after_minutes, min_notice_minutes, horizon_days, bookable_from, bookable_until, max_per_day, max_per_week,
    requires_approval, capacity, price_amount, price_currency, cancellation_notice_minutes, contact_may_overlap,
    bookable_online, guest_requires, guest_verification, active, external_id, metadata, reminder_minutes
)
select
    $1, r.name, r.description, r.duration_minutes, r.slot_step_minutes, r.slot_offset_minutes, r.buffer_before_minutes,
    r.buffer_after_minutes, r.min_notice_minutes, r.horizon_days, r.bookable_from, r.bookable_until, r.max_per_day,
    r.max_per_week,
    r.requires_approval, r.capacity, r.price_amount, r.price_currency, r.cancellation_notice_minutes,
    r.contact_may_overlap, r.bookable_online, r.guest_requires, r.guest_verification, r.active,
    r.external_id, r.metadata, r.reminder_minutes
from jsonb_populate_record(null::scheduling.services, $2) as r
