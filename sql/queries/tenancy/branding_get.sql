-- $1 tenant_id
select display_name, logo_url, favicon_url, primary_color, secondary_color, style_sheet_url, address
from tenancy.branding
where tenant_id = $1
