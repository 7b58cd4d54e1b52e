# Finds the classes of ONNX's file format, which protobuf generated. libonnx's own package config, as Debian ships it,
# leaves the finding of protobuf to its user, and aborts the configuration where one of its parts is not installed.
# Define ONNX_ML before <onnx/onnx_pb.h>: that is the flavour that packages are built in.
#   ONNX_FOUND, ONNX_INCLUDE_DIR, ONNX_PROTO_LIBRARY, ONNX_PROTOBUF_LIBRARY, target ONNX::ONNX

include(FindPackageHandleStandardArgs)

find_path(ONNX_INCLUDE_DIR NAMES onnx/onnx-ml.pb.h)
find_path(ONNX_PROTOBUF_INCLUDE_DIR NAMES google/protobuf/message.h)
find_library(ONNX_PROTO_LIBRARY NAMES onnx_proto)
find_library(ONNX_PROTOBUF_LIBRARY NAMES protobuf)
mark_as_advanced(ONNX_INCLUDE_DIR ONNX_PROTOBUF_INCLUDE_DIR ONNX_PROTO_LIBRARY ONNX_PROTOBUF_LIBRARY)

find_package_handle_standard_args(ONNX
    REQUIRED_VARS ONNX_PROTO_LIBRARY ONNX_INCLUDE_DIR ONNX_PROTOBUF_LIBRARY ONNX_PROTOBUF_INCLUDE_DIR
    REASON_FAILURE_MESSAGE "install libonnx and protobuf (Debian: libonnx-dev, libprotobuf-dev)")

if(ONNX_FOUND AND NOT TARGET ONNX::ONNX)
    add_library(ONNX::ONNX UNKNOWN IMPORTED)
    set_target_properties(ONNX::ONNX PROPERTIES
        IMPORTED_LOCATION ${ONNX_PROTO_LIBRARY}
        INTERFACE_INCLUDE_DIRECTORIES "${ONNX_INCLUDE_DIR};${ONNX_PROTOBUF_INCLUDE_DIR}"
        INTERFACE_LINK_LIBRARIES ${ONNX_PROTOBUF_LIBRARY})
endif()
