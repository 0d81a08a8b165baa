-- $1 tenant_id, $2 appointment, $3 account of the member who is told, or null; what a message about it says, and
-- whether its contact is reminded of it and thanked
--
-- Sent as appointd_worker.
select
    n.id, n.starts_at, n.ends_at, n.status, n.entry_sequence, n.created_at, n.entry_updated_at, n.service_name,
    n.provider_name, n.contact_name, n.segments, n.time_zone, n.revision, n.requires_approval,
    n.cancellation_notice_minutes, n.cancellation_reason, n.occurrences, n.contact_email, n.is_provider, n.member_name,
    n.member_email, $1::uuid as organization_id, n.proof, n.contact_id, s.notify_by_email,
    coalesce(v.reminder_minutes, s.reminder_minutes) as reminder_minutes, s.thanks_after_minutes, s.review_url,
    n.wants_reminders, n.reminders_proof, n.wants_thanks, n.thanks_proof
from scheduling.appointment_notice($2, $3) as n
join tenancy.settings as s on s.tenant_id = $1
join scheduling.services as v on v.tenant_id = $1 and v.id = n.service_id
