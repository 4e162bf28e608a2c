# erb.ru - a boot server's two documents by ERB: hosts and templates in the database, ActiveRecord, the template compiled for each request.
#
# That is how Foreman's /unattended works: a template is text that an operator may have changed a moment ago.
require 'active_record'
require 'erb'

ActiveRecord::Base.establish_connection(adapter: 'sqlite3', database: "#{ENV.fetch('INVENTORY')}/hosts.db")
class Host < ActiveRecord::Base
  has_many :nics
  has_many :facts
end
class Nic < ActiveRecord::Base; end
class Fact < ActiveRecord::Base; end
class Param < ActiveRecord::Base; end
class Volume < ActiveRecord::Base
  self.inheritance_column = nil # `type` is a column like any other
end
class Package < ActiveRecord::Base; end
class Template < ActiveRecord::Base; end

# Nothing is nil in Ruby's eyes only if it is nil.
def card(nic)
  nic.attributes.merge('managed' => nic.managed == 1, 'vlan' => nic.vlan.zero? ? nil : nic.vlan, 'address' => nic.address.empty? ? nil : nic.address)
end

def values_of(host)
  params = Param.all.to_h { |param| [param.name, param.value] }
  params['nics'] = host.nics.order(:id).map { |nic| card(nic) }
  params['facts'] = host.facts.order(:id).map(&:attributes)
  params['volumes'] = Volume.order(:id).map(&:attributes)
  params['packages'] = Package.order(:id).map(&:name)
  server = 'http://10.0.0.1'
  { host: host.attributes, params: params, server: server, documents: "#{server}/documents/#{host.id}", callback: "#{server}/callback/#{host.id}" }
end

def render(name, mac)
  host = Host.find_by(mac: mac)
  scope = binding
  values_of(host).each { |key, value| scope.local_variable_set(key, value) }
  ERB.new(Template.find_by(name: name).body, trim_mode: '-').result(scope)
end

run(lambda do |env|
  body = render(env['PATH_INFO'].delete_prefix('/'), env['QUERY_STRING'][/mac=([^&]*)/, 1])
  [200, { 'content-type' => 'text/plain', 'content-length' => body.bytesize.to_s }, [body]]
end)
