-- $1 host or null, $2 slug or null
select
    id, name, organization_slug, time_zone, language, date_format, time_format, logo_url, favicon_url, primary_color,
    secondary_color, style_sheet_url
from tenancy.public_face($1, $2)
