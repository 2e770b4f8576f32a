#include "daemon/dbus/elsewhere.hpp"

namespace cloister::dbus {
namespace {

/// The library function that a method stands for. Here is where calls go on to another daemon, once one is
/// asked.
Task<Result<>> refused(Request, const Method* self, Message, Message) {
    co_return fail(Code::no_support, self->about);
}
/// Nothing of that kind is here. An error instead would keep desktop tools from showing anything at all.
Task<Result<>> none(Request, const Method*, Message, Message reply) {
    Writer to(reply);
    write(to, std::vector<ObjectPath>{});
    co_return to.done();
}

Method list(std::string_view name, std::string_view result, std::string_view api) {
    return {.name = std::string(name),
            .in = "u",
            .out = "ao",
            .in_names = "flags",
            .out_names = std::string(result),
            .about = std::string(api),
            .serve = &none};
}
Method refuse(std::string_view name, std::string_view in, std::string_view in_names, std::string_view api,
              std::string_view out = {}, std::string_view out_names = {}) {
    return {.name = std::string(name),
            .in = std::string(in),
            .out = std::string(out),
            .in_names = std::string(in_names),
            .out_names = std::string(out_names),
            .about = std::string(api),
            .serve = &refused};
}

} // namespace

std::vector<Method> elsewhere_methods() {
    return {
        list("ListInterfaces", "interfaces", "virConnectListAllInterfaces"),
        list("ListNetworks", "networks", "virConnectListAllNetworks"),
        list("ListNodeDevices", "devs", "virConnectListAllNodeDevices"),
        list("ListNWFilters", "nwfilters", "virConnectListAllNWFilters"),
        list("ListSecrets", "secrets", "virConnectListAllSecrets"),
        list("ListStoragePools", "storagePools", "virConnectListAllStoragePools"),
        refuse("FindStoragePoolSources", "ssu", "type srcSpec flags", "virConnectFindStoragePoolSources", "s",
               "storagePoolSources"),
        refuse("InterfaceChangeBegin", "u", "flags", "virInterfaceChangeBegin"),
        refuse("InterfaceChangeCommit", "u", "flags", "virInterfaceChangeCommit"),
        refuse("InterfaceChangeRollback", "u", "flags", "virInterfaceChangeRollback"),
        refuse("InterfaceDefineXML", "su", "xml flags", "virInterfaceDefineXML", "o", "interface"),
        refuse("InterfaceLookupByMAC", "s", "mac", "virInterfaceLookupByMACString", "o", "interface"),
        refuse("InterfaceLookupByName", "s", "name", "virInterfaceLookupByName", "o", "interface"),
        refuse("NetworkCreateXML", "s", "xml", "virNetworkCreateXML", "o", "network"),
        refuse("NetworkDefineXML", "s", "xml", "virNetworkDefineXML", "o", "network"),
        refuse("NetworkLookupByName", "s", "name", "virNetworkLookupByName", "o", "network"),
        refuse("NetworkLookupByUUID", "s", "uuid", "virNetworkLookupByUUIDString", "o", "network"),
        refuse("NodeDeviceCreateXML", "su", "xml flags", "virNodeDeviceCreateXML", "o", "dev"),
        refuse("NodeDeviceLookupByName", "s", "name", "virNodeDeviceLookupByName", "o", "dev"),
        refuse("NodeDeviceLookupSCSIHostByWWN", "ssu", "wwnn wwpn flags", "virNodeDeviceLookupSCSIHostByWWN",
               "o", "dev"),
        refuse("NWFilterDefineXML", "s", "xml", "virNWFilterDefineXML", "o", "nwfilter"),
        refuse("NWFilterLookupByName", "s", "name", "virNWFilterLookupByName", "o", "nwfilter"),
        refuse("NWFilterLookupByUUID", "s", "uuid", "virNWFilterLookupByUUIDString", "o", "nwfilter"),
        refuse("SecretDefineXML", "su", "xml flags", "virSecretDefineXML", "o", "secret"),
        refuse("SecretLookupByUUID", "s", "uuid", "virSecretLookupByUUIDString", "o", "secret"),
        refuse("SecretLookupByUsage", "is", "usageType usageID", "virSecretLookupByUsage", "o", "secret"),
        refuse("StoragePoolCreateXML", "su", "xml flags", "virStoragePoolCreateXML", "o", "storagePool"),
        refuse("StoragePoolDefineXML", "su", "xml flags", "virStoragePoolDefineXML", "o", "storagePool"),
        refuse("StoragePoolLookupByName", "s", "name", "virStoragePoolLookupByName", "o", "storagePool"),
        refuse("StoragePoolLookupByUUID", "s", "uuid", "virStoragePoolLookupByUUIDString", "o",
               "storagePool"),
        refuse("StorageVolLookupByKey", "s", "key", "virStorageVolLookupByKey", "o", "storageVol"),
        refuse("StorageVolLookupByPath", "s", "path", "virStorageVolLookupByPath", "o", "storageVol"),
    };
}

} // namespace cloister::dbus
